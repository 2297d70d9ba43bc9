//! The side of the clients: their connections, accepted, served and drained.

pub(crate) mod listener;
pub(crate) mod server;
