//! Connections, sessions and moments.

use std::fmt;
use std::time::Duration;

/// A connection. The driver numbers them, and uses no number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A session. Its number is the zxid of the change that began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub i64);

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since some fixed moment. It never goes back. Sessions go by it.
    pub elapsed: Duration,
    /// Milliseconds since 1970. The times of nodes and times to live go by it, since they outlive
    /// the process.
    pub wall_ms: i64,
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}
