//! Ports to listen on.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Ports to choose from. Below those that the system gives to connections (32768 and up): while the
/// server is down, a client that tries again and again would sooner or later be connected to
/// itself.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// Enough that a free one is found if there are any to speak of.
const TRIES: usize = 100;

/// Where one server listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    /// For clients.
    pub(crate) client: u16,
    /// For the other servers.
    pub(crate) peer: u16,
    /// For whoever asks for its health.
    pub(crate) health: u16,
}

impl Ports {
    /// Three that nobody listens on. Nothing keeps them free: somebody may take one before it is
    /// used.
    pub(crate) fn choose() -> io::Result<Self> {
        Ok(Self {
            client: free_port()?,
            peer: free_port()?,
            health: free_port()?,
        })
    }
}

fn free_port() -> io::Result<u16> {
    let mut last = None;
    for _ in 0..TRIES {
        let port = rand::random_range(PORTS);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("no port is free")))
}
