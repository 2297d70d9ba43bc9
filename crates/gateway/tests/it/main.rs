//! A gateway between real sockets: clients on one side, leaders of a group in memory on the other.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod change;
mod ending;
mod flow;
mod framing;
mod harness;
mod http2;
mod limits;
mod log;
mod meaning;
mod node;
mod passing;
mod reaching;
mod shutdown;
mod store;
mod streaming;
mod tcp;
mod tls;
mod tls_leader;
mod trouble;
mod websocket;
mod whole;
