//! Proof of death: an endpoint at which a process says a nonce, and others' connections to it.
//!
//! Others connect, read one line, and stay connected. When the connection breaks and a fresh
//! attempt is refused at once, or answers with another nonce, the process is gone. A time-out, an
//! unreachable network or silence prove nothing.
//!
//! Leaders say the nonce of their term, and standbys are connected to them: a standby then
//! campaigns at once, without waiting for the lease, and a wrong verdict costs a change of leader
//! and no data. Anything else that has to know whether a process is gone may do the same:
//! [`LivenessServer`] on one side, [`LivenessProbe`] on the other. If more is at stake than a
//! change of leader, it says so ([`Stakes`]).
//!
//! ```text
//!   server: incumbent-liveness 1 00000000000000000000000000000abc      (or: idle)
//!   client: standby NAME                                               (optional; listed by `who`)
//!   client: who                                                        (the server lists the standbys, then a line with a dot)
//! ```

mod ask;
mod probe;
mod room;
mod rules;
mod server;

pub use ask::{SignOfLife, sign_of_life};
pub use probe::{LivenessProbe, LivenessState, ProbeOptions};
pub use rules::{SignOfDeath, Stakes};
pub use server::LivenessServer;

use std::net::SocketAddr;

use incumbent_core::Nonce;

/// First word of the greeting, and the version of the protocol.
const GREETING: &str = "incumbent-liveness 1 ";

/// Longest line of either side.
const LONGEST_LINE: u64 = 512;

/// Room for what either side reads at once: most lines are shorter, and connections are many.
const BUFFER: usize = 128;

/// Whether and where a leader can be seen to live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// As the backend suggests: on the address by which this host reaches others; on loopback if
    /// every candidate is on this machine; not at all inside one process.
    Default,
    /// Not at all: standbys wait for the lease.
    Off,
    /// Listen on this address.
    On {
        /// Where to listen; port 0 takes a free one.
        listen: SocketAddr,
        /// What to tell the standbys, `host` or `host:port`, if it is not the same address.
        advertise: Option<String>,
    },
}

/// Names the running kernel and network namespace. Inside the same one, nothing between two
/// processes can refuse a connection, so a refusal comes from the other process's socket.
fn scope() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/net").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace.display()))
}

fn greeting(nonce: Option<Nonce>) -> String {
    match nonce {
        Some(nonce) => format!("{GREETING}{nonce}\n"),
        None => format!("{GREETING}idle\n"),
    }
}
