//! Connections that ask, as cheaply as can be: one request is one write, one small answer one read.
//!
//! It knows no more of HTTP than these answers need, which all have a length. A client that knew
//! more would take more of the processors that it shares with those who are measured.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{StreamExt, TryStreamExt};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{Failure, stopwatch};

/// What is read at a time. Heads are far shorter.
const BUFFER: usize = 64 * 1024;

/// How many connections are opened at a time.
const OPENED_AT_A_TIME: usize = 32;

/// The name in the certificate.
pub(super) const NAME: &str = "localhost";

/// Where to connect, and whether with TLS.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<TlsConnector>,
}

/// One connection, with one request in flight at most.
pub(super) struct Connection {
    stream: Stream,
    buffer: Box<[u8]>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// An answer that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// Of its body.
    pub(super) length: usize,
}

/// What many connections ask.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) request: Arc<[u8]>,
    pub(super) expected: Answered,
}

/// What came in one turn.
#[derive(Default)]
pub(super) struct Turn {
    /// Of what was answered, in no order.
    pub(super) latencies: Vec<Duration>,
    /// What brought no answer, or another than expected.
    pub(super) failed: usize,
}

/// TLS that has one cipher to offer, so that all who are measured do the same work.
pub(super) fn tls(certificate: &Path) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Question {
    pub(super) fn get(path: &str, length: usize) -> Self {
        let text = format!("GET {path} HTTP/1.1\r\nHost: {NAME}\r\nAccept: */*\r\n\r\n");
        Self {
            request: text.into_bytes().into(),
            expected: Answered {
                status: 200,
                length,
            },
        }
    }
}

impl Connection {
    pub(super) async fn open(door: &Door) -> io::Result<Self> {
        let stream = TcpStream::connect(door.address).await?;
        stream.set_nodelay(true)?;
        let stream = match &door.tls {
            None => Stream::Plain(stream),
            Some(tls) => {
                let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
                Stream::Tls(Box::new(tls.connect(name, stream).await?))
            }
        };
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Ok(Self { stream, buffer })
    }

    /// Sends a request and reads its answer to the end.
    pub(super) async fn ask(&mut self, request: &[u8]) -> io::Result<Answered> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(request).await?,
            Stream::Tls(stream) => {
                stream.write_all(request).await?;
                stream.flush().await?;
            }
        }
        let mut filled = 0;
        let (status, length, head) = loop {
            filled += self.read(filled).await?;
            if let Some(found) = head(&self.buffer[..filled])? {
                break found;
            }
        };
        let mut come = filled - head;
        while come < length {
            come += self.read(0).await?;
        }
        match come == length {
            true => Ok(Answered { status, length }),
            false => Err(io::Error::other("more came than was asked for")),
        }
    }

    async fn read(&mut self, from: usize) -> io::Result<usize> {
        let into = &mut self.buffer[from..];
        if into.is_empty() {
            return Err(io::Error::other("a head without an end"));
        }
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read(into).await?,
            Stream::Tls(stream) => stream.read(into).await?,
        };
        match read {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

/// The status, the length of the body and that of the head. `None` if the head has not come to its
/// end yet.
fn head(text: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let bad = || io::Error::other("this is no answer with a length");
    let text = std::str::from_utf8(&text[..end]).map_err(|_| bad())?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok()).flatten()
    });
    match (status, length) {
        (Some(status), Some(length)) => Ok(Some((status, length, end + 4))),
        _ => Err(bad()),
    }
}

/// Opens many connections.
pub(super) async fn open(door: &Door, count: usize) -> Result<Vec<Connection>, Failure> {
    let opening = futures::stream::iter((0..count).map(|_| Connection::open(door)));
    let opened = opening.buffer_unordered(OPENED_AT_A_TIME).try_collect();
    Ok(opened.await?)
}

/// Asks on all connections without a pause until `end`. What is answered before `begin` does not
/// count: caches, pools and the connections themselves warm up.
pub(super) fn ask_all(
    door: &Door,
    connections: Vec<Connection>,
    question: &Question,
    (begin, end): (Instant, Instant),
) -> JoinSet<Turn> {
    let mut asking = JoinSet::new();
    for mut connection in connections {
        let (door, question) = (door.clone(), question.clone());
        asking.spawn(async move {
            let mut turn = Turn::default();
            let mut sent = stopwatch::now();
            loop {
                let answered = connection.ask(&question.request).await;
                let now = stopwatch::now();
                if now >= end {
                    return turn;
                }
                match answered {
                    Ok(answered) if answered == question.expected => {
                        if now >= begin {
                            turn.latencies.push(now - sent);
                        }
                    }
                    Ok(_) | Err(_) => {
                        turn.failed += 1;
                        match Connection::open(&door).await {
                            Ok(fresh) => connection = fresh,
                            // It has no chance any more.
                            Err(_) => return turn,
                        }
                    }
                }
                sent = now;
            }
        });
    }
    asking
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_has_come_whole() {
        let text = b"HTTP/1.1 200 OK\r\nserver: x\r\ncontent-length: 3\r\n\r\nabc";
        assert_eq!(head(text).unwrap(), Some((200, 3, text.len() - 3)));
        for end in 0..text.len() - 3 {
            assert_eq!(head(&text[..end]).unwrap(), None, "{end}");
        }
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(head(b"SSH-2.0\r\n\r\n").is_err());
    }
}
