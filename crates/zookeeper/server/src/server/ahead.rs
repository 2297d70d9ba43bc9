//! Clients that have seen more than this server.

use std::collections::HashSet;
use std::net::IpAddr;

/// Clients that have seen a newer state and were logged for it. Each tries again every second or
/// so, and one line for each of them is enough.
#[derive(Default)]
pub(super) struct Ahead {
    known: HashSet<(IpAddr, i64)>,
}

impl Ahead {
    /// With more of them, all are forgotten.
    const MOST: usize = 4096;

    /// Notes a client by its address and its session. Says whether it is new.
    pub(super) fn note(&mut self, address: IpAddr, session: i64) -> bool {
        if self.known.len() >= Self::MOST {
            self.known.clear();
        }
        self.known.insert((address, session))
    }

    /// Forgets a client that has a session here now.
    pub(super) fn forget(&mut self, address: IpAddr, session: i64) {
        self.known.remove(&(address, session));
    }
}
