//! One request on the task socket: a connection, a request, an answer, and no thread in between.
//!
//! Each request has a connection of its own, so requests of several threads never wait for each
//! other, and no state has to be mended after one that broke.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longest head of an answer, in bytes: ours have some 200.
const LONGEST_HEAD: u64 = 16 * 1024;

/// Most header lines of an answer.
const MOST_HEADERS: usize = 64;

/// Longest line that announces a chunk, in bytes.
const LONGEST_CHUNK_LINE: u64 = 1024;

/// A body to send, of a length that is known.
pub(crate) struct Body<'a> {
    pub(crate) kind: &'static str,
    pub(crate) length: u64,
    pub(crate) bytes: &'a mut dyn Read,
}

/// An answer whose body has not been read yet.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Incoming,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// Nothing listens: nothing was sent.
    NoSocket(io::Error),
    /// The connection broke: whether something was done is not known.
    Broken(io::Error),
    /// What was to be sent could not be read.
    Source(io::Error),
}

/// The body of an answer. A body that ends too early is an error, and never a short one.
#[derive(Debug)]
pub(crate) struct Incoming {
    from: BufReader<UnixStream>,
    left: Left,
}

#[derive(Debug)]
enum Left {
    Bytes(u64),
    /// In the present chunk. Before the first one, and between two: none.
    Chunk(Option<u64>),
    UntilClosed,
    Nothing,
}

/// Sends a request, and reads the head of its answer.
pub(crate) fn send(
    socket: &Path,
    method: &str,
    path: &str,
    body: Option<Body<'_>>,
) -> Result<Answer, Unanswered> {
    let stream = UnixStream::connect(socket).map_err(Unanswered::NoSocket)?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: task\r\nconnection: close\r\n");
    match &body {
        Some(body) => {
            let (kind, length) = (body.kind, body.length);
            head.push_str(&format!(
                "content-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
            ));
        }
        None if method == "GET" => head.push_str("\r\n"),
        None => head.push_str("content-length: 0\r\n\r\n"),
    }
    let sent = (&stream).write_all(head.as_bytes());
    let sent = match (sent, body) {
        (Ok(()), Some(body)) => copy(body, &stream)?,
        (sent, _) => sent,
    };
    // A server that refuses a body answers before it has read it all, so there may be an answer
    // although not everything could be sent.
    match read_head(stream) {
        Ok(answer) => Ok(answer),
        Err(error) => Err(Unanswered::Broken(sent.err().unwrap_or(error))),
    }
}

/// Returns what became of the sending; fails if there is nothing right to send.
fn copy(body: Body<'_>, mut to: &UnixStream) -> Result<io::Result<()>, Unanswered> {
    let mut buffer = vec![0; 64 * 1024];
    let mut left = body.length;
    while left > 0 {
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = match body.bytes.read(&mut buffer[..most]) {
            Ok(0) => return Err(Unanswered::Source(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Unanswered::Source(error)),
        };
        if let Err(error) = to.write_all(&buffer[..read]) {
            return Ok(Err(error));
        }
        left -= read as u64;
    }
    Ok(Ok(()))
}

fn read_head(stream: UnixStream) -> io::Result<Answer> {
    let mut from = BufReader::new(stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let left = LONGEST_HEAD - head.len() as u64;
        if (&mut from).take(left).read_until(b'\n', &mut head)? == 0 {
            return Err(broken("the answer has no head, or one that is too long"));
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    parsed.parse(&head).map_err(io::Error::other)?;
    let status = parsed
        .code
        .ok_or_else(|| broken("the answer has no status"))?;
    let value = |name: &str| {
        let found = parsed
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let is_chunked = value("transfer-encoding").is_some_and(|value| value.ends_with("chunked"));
    let length = value("content-length").map(str::parse);
    let left = match (status, is_chunked, length) {
        (204 | 304, _, _) => Left::Nothing,
        (_, true, _) => Left::Chunk(None),
        (_, false, Some(Ok(length))) => Left::Bytes(length),
        (_, false, Some(Err(_))) => return Err(broken("the length of the answer is no number")),
        (_, false, None) => Left::UntilClosed,
    };
    let retry_after = value("retry-after").and_then(|value| value.parse().ok());
    Ok(Answer {
        status,
        retry_after: retry_after.map(Duration::from_secs),
        body: Incoming { from, left },
    })
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let limit = match self.left {
            Left::Nothing | Left::Bytes(0) => return Ok(0),
            Left::UntilClosed => return self.from.read(buffer),
            Left::Bytes(left) | Left::Chunk(Some(left)) => left,
            Left::Chunk(None) => match self.next_chunk()? {
                0 => {
                    self.left = Left::Nothing;
                    return Ok(0);
                }
                size => size,
            },
        };
        let most = buffer
            .len()
            .min(usize::try_from(limit).unwrap_or(usize::MAX));
        let read = self.from.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(broken("the answer ended too early"));
        }
        let left = limit - read as u64;
        match self.left {
            Left::Chunk(_) if left == 0 => {
                self.line()?;
                self.left = Left::Chunk(None);
            }
            Left::Chunk(_) => self.left = Left::Chunk(Some(left)),
            _ => self.left = Left::Bytes(left),
        }
        Ok(read)
    }
}

impl Incoming {
    fn next_chunk(&mut self) -> io::Result<u64> {
        let line = self.line()?;
        match httparse::parse_chunk_size(&line) {
            Ok(httparse::Status::Complete((_, size))) => Ok(size),
            _ => Err(broken("the answer has a chunk without a size")),
        }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.from)
            .take(LONGEST_CHUNK_LINE)
            .read_until(b'\n', &mut line)?;
        match line.ends_with(b"\n") {
            true => Ok(line),
            false => Err(broken("the answer ended too early")),
        }
    }
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer that a server with these bytes gives.
    fn answer(bytes: &[u8]) -> io::Result<Answer> {
        let (ours, mut theirs) = UnixStream::pair()?;
        theirs.write_all(bytes)?;
        drop(theirs);
        read_head(ours)
    }

    fn text(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        answer(bytes)?.body.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn bodies_of_any_framing_are_read_to_their_end() {
        for bytes in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello, and more",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\nhello",
        ] {
            assert_eq!(text(bytes.as_bytes()).unwrap(), "hello");
        }
        let none = "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n";
        assert_eq!(text(none.as_bytes()).unwrap(), "");
    }

    #[test]
    fn a_body_that_ends_too_early_is_an_error() {
        for bytes in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\nhello\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n",
            "SSH-2.0\r\n\r\n",
            "",
        ] {
            assert!(text(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_head_without_end_is_refused() {
        let mut bytes = b"HTTP/1.1 200 OK\r\n".to_vec();
        bytes.resize(LONGEST_HEAD as usize + 100, b'x');
        assert!(answer(&bytes).is_err());
    }
}
