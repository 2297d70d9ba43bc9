//! The side of the clients: their connections, accepted, served and drained.

pub(crate) mod listener;
mod refusal;
pub(crate) mod server;
