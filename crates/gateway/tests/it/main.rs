//! A gateway between real sockets: clients on one side, leaders of a group in memory on the other.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod change;
mod ending;
mod flow;
mod framing;
mod harness;
mod limits;
mod node;
mod passing;
mod shutdown;
mod streaming;
mod tcp;
mod tls;
mod trouble;
mod websocket;
