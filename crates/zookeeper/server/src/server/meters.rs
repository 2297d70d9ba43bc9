//! What a server counts besides the requests of its connections, for monitors.

use std::sync::atomic::{AtomicU64, Ordering};

use super::stats::Durations;

/// Counts since the start, or since the last reset.
#[derive(Default)]
pub(super) struct Meters {
    /// Connections that were accepted.
    pub(super) connections: Counter,
    /// Connections and sessions that were refused because of a limit.
    pub(super) rejected: Counter,
    /// Connections that sent nothing in time.
    pub(super) silent: Counter,
    /// TLS handshakes that failed.
    pub(super) bad_handshakes: Counter,
    /// Clients that could not prove who they are.
    pub(super) auth_failures: Counter,
    pub(super) bytes_received: Counter,
    /// Bytes of replies.
    pub(super) reply_bytes: Counter,
    /// Bytes of events.
    pub(super) event_bytes: Counter,
    /// How long reads took, from when they came to when their replies could be sent.
    pub(super) reads: Durations,
    /// The same for requests that changed something.
    pub(super) updates: Durations,
}

/// A number that only rises.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl Meters {
    /// Starts to count anew.
    pub(super) fn reset(&self) {
        for counter in [
            &self.connections,
            &self.rejected,
            &self.silent,
            &self.bad_handshakes,
            &self.auth_failures,
            &self.bytes_received,
            &self.reply_bytes,
            &self.event_bytes,
        ] {
            counter.reset();
        }
        self.reads.reset();
        self.updates.reset();
    }
}
