//! Messages of HTTP/1.1 as they are on the wire, read and written by hand: a library would mend
//! what these tests look for.

use std::fmt::Write as _;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(super) type Fields = Vec<(String, String)>;

/// A message: what a leader was asked, or what a client was answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    /// `GET /path`, or the status.
    pub(super) start: String,
    pub(super) fields: Fields,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Fields,
    /// The interim answers before it.
    pub(super) interim: Vec<(String, Fields)>,
    /// Whether it came to its end.
    pub(super) is_whole: bool,
}

impl Message {
    /// The values of all fields of this name.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        values(&self.fields, name)
    }

    pub(super) fn status(&self) -> u16 {
        self.start.parse().unwrap_or(0)
    }
}

pub(super) fn values<'a>(fields: &'a Fields, name: &str) -> Vec<&'a str> {
    let named = fields.iter().filter(|(one, _)| one == name);
    named.map(|(_, value)| value.as_str()).collect()
}

pub(super) fn fields(pairs: &[(&str, &str)]) -> Fields {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

/// A head without its empty line.
pub(super) fn head(first_line: &str, fields: &Fields) -> String {
    let mut head = format!("{first_line}\r\n");
    for (name, value) in fields {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head
}

/// A connection that is read message by message.
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    come: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            come: Vec::new(),
        }
    }

    pub(super) async fn write(&mut self, text: &str) {
        // The other side may have closed: what it has said then is read all the same.
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    /// The next request; none if the connection ends.
    pub(super) async fn request(&mut self) -> Option<Message> {
        let (first_line, fields) = self.head().await?;
        let start = first_line.strip_suffix(" HTTP/1.1")?.to_owned();
        let is_chunked = !values(&fields, "transfer-encoding").is_empty();
        let length = values(&fields, "content-length");
        let length = length.first().map_or(0, |length| length.parse().unwrap());
        let mut message = Message {
            start,
            fields,
            ..Message::default()
        };
        self.body(&mut message, is_chunked, Some(length)).await;
        Some(message)
    }

    /// The answer to a request, and interim ones before it.
    pub(super) async fn answer(&mut self) -> Message {
        let mut message = Message::default();
        loop {
            let Some((first_line, fields)) = self.head().await else {
                return message;
            };
            let status = first_line.split(' ').nth(1).unwrap_or_default().to_owned();
            if status.starts_with('1') {
                message.interim.push((status, fields));
                continue;
            }
            let is_chunked = values(&fields, "transfer-encoding") == ["chunked"];
            let length = values(&fields, "content-length");
            let length = length.first().map(|length| length.parse().unwrap());
            (message.start, message.fields) = (status, fields);
            self.body(&mut message, is_chunked, length).await;
            return message;
        }
    }

    async fn head(&mut self) -> Option<(String, Fields)> {
        let first_line = self.line().await?;
        Some((first_line, self.lines().await?))
    }

    async fn lines(&mut self) -> Option<Fields> {
        let mut fields = Fields::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Some(fields);
            }
            let (name, value) = line.split_once(':').unwrap();
            fields.push((name.to_ascii_lowercase(), value.trim().into()));
        }
    }

    async fn body(&mut self, message: &mut Message, is_chunked: bool, length: Option<usize>) {
        if !is_chunked {
            let wanted = length.unwrap_or(usize::MAX);
            while message.body.len() < wanted && (!self.come.is_empty() || self.more().await) {
                let count = self.come.len().min(wanted - message.body.len());
                message.body.extend(self.come.drain(..count));
            }
            message.is_whole = length.is_none_or(|length| message.body.len() == length);
            return;
        }
        while let Some(line) = self.line().await {
            let Ok(size) = usize::from_str_radix(&line, 16) else {
                return;
            };
            if size == 0 {
                if let Some(trailers) = self.lines().await {
                    message.trailers = trailers;
                    message.is_whole = true;
                }
                return;
            }
            while self.come.len() < size + 2 {
                if !self.more().await {
                    return;
                }
            }
            message.body.extend(self.come.drain(..size));
            self.come.drain(..2);
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.come.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.come.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn more(&mut self) -> bool {
        self.stream.read_buf(&mut self.come).await.unwrap_or(0) > 0
    }
}
