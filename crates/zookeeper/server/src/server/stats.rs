//! What a server counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts since the start, or since somebody asked to begin anew.
#[derive(Default)]
pub(super) struct Stats {
    received: AtomicU64,
    sent: AtomicU64,
    /// Answered requests whose latency was measured, and that in microseconds: sum, least and most.
    answered: AtomicU64,
    /// Requests whose connection has ended before their answers could be sent.
    abandoned: AtomicU64,
    total_us: AtomicU64,
    /// Plus one, so that 0 means none.
    least_us: AtomicU64,
    most_us: AtomicU64,
}

/// Latencies in milliseconds, as the four-letter words show them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Latency {
    pub(super) least: u64,
    pub(super) average: f64,
    pub(super) most: u64,
}

impl Stats {
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Requests that have no answer yet.
    pub(super) fn outstanding(&self) -> u64 {
        let settled =
            self.answered.load(Ordering::Relaxed) + self.abandoned.load(Ordering::Relaxed);
        self.received().saturating_sub(settled)
    }

    pub(super) fn latency(&self) -> Latency {
        let answered = self.answered.load(Ordering::Relaxed);
        let total = self.total_us.load(Ordering::Relaxed);
        Latency {
            least: self.least_us.load(Ordering::Relaxed).saturating_sub(1) / 1000,
            #[expect(
                clippy::cast_precision_loss,
                reason = "shown to people with four digits"
            )]
            average: total as f64 / 1000.0 / answered.max(1) as f64,
            most: self.most_us.load(Ordering::Relaxed) / 1000,
        }
    }

    pub(super) fn count_received(&self, requests: u64) {
        self.received.fetch_add(requests, Ordering::Relaxed);
    }

    pub(super) fn count_sent(&self, frames: u64) {
        self.sent.fetch_add(frames, Ordering::Relaxed);
    }

    pub(super) fn count_answered(&self, requests: u64, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.answered.fetch_add(requests, Ordering::Relaxed);
        self.total_us
            .fetch_add(us.saturating_mul(requests), Ordering::Relaxed);
        self.most_us.fetch_max(us, Ordering::Relaxed);
        let least = self.least_us.load(Ordering::Relaxed);
        if least == 0 || us + 1 < least {
            self.least_us.store(us + 1, Ordering::Relaxed);
        }
    }

    pub(super) fn count_abandoned(&self, requests: u64) {
        self.abandoned.fetch_add(requests, Ordering::Relaxed);
    }

    /// Begins anew.
    pub(super) fn reset(&self) {
        // What is outstanding stays so.
        let outstanding = self.outstanding();
        for count in [
            &self.sent,
            &self.answered,
            &self.abandoned,
            &self.total_us,
            &self.least_us,
            &self.most_us,
        ] {
            count.store(0, Ordering::Relaxed);
        }
        self.received.store(outstanding, Ordering::Relaxed);
    }
}
