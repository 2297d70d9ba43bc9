//! The side of the leader: who it is, connections to it, and one attempt to get an answer from it.
//!
//! ```text
//!   attempt.rs ──► target.rs ──► idle.rs (HTTP/1.1) or lines.rs (HTTP/2): a connection that is there
//!                            └─► dial.rs: a new one, waited for ──► wire.rs: who speaks HTTP/2 says so first
//! ```

pub(crate) mod attempt;
pub(crate) mod board;
pub(crate) mod connection;
pub(crate) mod dial;
pub(crate) mod gate;
mod idle;
mod lines;
mod refused;
pub(crate) mod secure;
pub(crate) mod share;
pub(crate) mod target;
mod wire;
