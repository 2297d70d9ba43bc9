//! Ports to listen on.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Ports to choose from. They lie below the ephemeral range (32768 and up): while a server is down,
/// a client that retries would sooner or later be connected to itself.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// Enough tries to find a free port unless nearly all are taken.
const TRIES: usize = 100;

/// A port of 127.0.0.1 on which nothing listens.
///
/// The port is not reserved: another process may take it before it is used.
///
/// # Errors
///
/// If no free port is found.
pub fn free_port() -> io::Result<u16> {
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
