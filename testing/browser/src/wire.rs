//! [`Wire`]: requests to the driver, each on a connection of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The driver answers when the browser has done it: to load a page, or to start, on a busy machine.
const LONGEST_ANSWER: Duration = Duration::from_secs(120);

/// Where the driver listens.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) port: u16,
}

/// Why the driver has not done it.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It says why: the protocol's short name of the error, and words.
    Said { error: String, message: String },
    /// No answer came.
    Silent(std::io::Error),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // What follows the first line is a list of addresses in the browser's own code.
            Self::Said { error, message } => {
                write!(f, "{error}: {}", message.lines().next().unwrap_or_default())
            }
            Self::Silent(why) => write!(f, "the driver does not answer: {why}"),
        }
    }
}

impl Wire {
    /// Sends a request and returns the `value` of its answer.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Refused> {
        let mut answer = self.exchange(method, path, body).map_err(Refused::Silent)?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(Refused::Said {
                error: error.to_owned(),
                message: value["message"].as_str().unwrap_or_default().to_owned(),
            }),
            None => Ok(value),
        }
    }

    fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(LONGEST_ANSWER))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            if answer.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let Some((name, value)) = line.trim_end().split_once(':') else {
                if line.trim_end().is_empty() {
                    break;
                }
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
        }
        let mut whole = vec![0; length];
        answer.read_exact(&mut whole)?;
        Ok(serde_json::from_slice(&whole)?)
    }
}
