//! A bare socket, and what the server logs about it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, Once, PoisonError};

use incumbent_zk_probe::new_session;
use incumbent_zk_proto::jute::frame;
use incumbent_zk_proto::{ConnectResponse, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{soon, until};

/// Everything that the servers in this process have logged.
static LOG: Mutex<String> = Mutex::new(String::new());

struct Logger;

impl io::Write for Logger {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn listen_to_the_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_writer(|| Logger)
            .init();
    });
}

/// A connection of bytes.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    log: LogOf,
}

/// What the server logs about one connection.
pub(crate) struct LogOf(SocketAddr);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let log = LogOf(stream.local_addr().unwrap());
        Self { stream, log }
    }

    /// One with a session.
    pub(crate) async fn greeted(address: SocketAddr, timeout_ms: i32) -> Self {
        let mut raw = Self::connect(address).await;
        raw.greet(timeout_ms).await;
        raw
    }

    pub(crate) async fn greet(&mut self, timeout_ms: i32) -> ConnectResponse {
        self.send(&greeting(timeout_ms)).await;
        let mut length = [0; 4];
        soon(self.stream.read_exact(&mut length)).await.unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        soon(self.stream.read_exact(&mut answer)).await.unwrap();
        let answer = ConnectResponse::read(&answer).unwrap();
        assert_ne!(answer.session, 0);
        answer
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // The server may have closed it in the middle.
        let _ = soon(self.stream.write_all(bytes)).await;
    }

    /// Reads until the server closes. Returns everything before that.
    pub(crate) async fn closed(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        // The server resets the connection if it has not read everything.
        let _ = soon(self.stream.read_to_end(&mut all)).await;
        all
    }

    /// What the server has logged about this connection.
    pub(crate) fn logged(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Waits until the server has logged these words about this connection.
    pub(crate) async fn closed_because(&self, words: &str) {
        self.log.closed_because(words).await;
    }

    /// The socket, and what the server logs about it.
    pub(crate) fn split_log(self) -> (TcpStream, LogOf) {
        (self.stream, self.log)
    }
}

impl LogOf {
    fn lines(&self) -> Vec<String> {
        let name = format!("address={} ", self.0);
        let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = log.lines().filter(|line| line.contains(&name));
        lines.map(str::to_owned).collect()
    }

    /// Waits until the server has logged these words.
    pub(crate) async fn closed_because(&self, words: &str) {
        let is_logged = || self.lines().iter().any(|line| line.contains(words));
        until(
            &format!("{} is closed because {words:?}", self.0),
            is_logged,
        )
        .await;
    }
}

pub(crate) fn greeting(timeout_ms: i32) -> Vec<u8> {
    let mut out = Vec::new();
    frame(&mut out, |out| new_session(timeout_ms).write(out));
    out
}

/// A frame of these bytes.
pub(crate) fn framed(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame(&mut out, |out| out.extend_from_slice(content));
    out
}

/// A request in its frame.
pub(crate) fn asked(xid: i32, request: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame(&mut out, |out| request.write_frame(xid, out));
    out
}
