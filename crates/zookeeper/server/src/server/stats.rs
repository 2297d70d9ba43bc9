//! What a server counts for each connection and for all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts since the start, or since the last reset.
#[derive(Default)]
pub(super) struct Stats {
    received: AtomicU64,
    sent: AtomicU64,
    /// Requests whose connection ended before their replies could be sent.
    abandoned: AtomicU64,
    /// From when a request came to when its reply could be sent.
    latency: Durations,
}

/// How long something took, each time.
#[derive(Default)]
pub(super) struct Durations {
    count: AtomicU64,
    total_us: AtomicU64,
    /// Plus one, so that 0 means none.
    least_us: AtomicU64,
    most_us: AtomicU64,
}

/// Durations in milliseconds, as the four-letter words show them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Latency {
    pub(super) count: u64,
    pub(super) total: u64,
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

    /// Requests that have no reply yet.
    pub(super) fn outstanding(&self) -> u64 {
        let settled = self.latency.count() + self.abandoned.load(Ordering::Relaxed);
        self.received().saturating_sub(settled)
    }

    pub(super) fn latency(&self) -> Latency {
        self.latency.shown()
    }

    pub(super) fn count_received(&self, requests: u64) {
        self.received.fetch_add(requests, Ordering::Relaxed);
    }

    pub(super) fn count_sent(&self, frames: u64) {
        self.sent.fetch_add(frames, Ordering::Relaxed);
    }

    pub(super) fn count_answered(&self, requests: u64, took: Duration) {
        self.latency.record(requests, took);
    }

    pub(super) fn count_abandoned(&self, requests: u64) {
        self.abandoned.fetch_add(requests, Ordering::Relaxed);
    }

    /// Starts to count anew.
    pub(super) fn reset(&self) {
        // Outstanding requests stay outstanding.
        let outstanding = self.outstanding();
        self.latency.reset();
        for count in [&self.sent, &self.abandoned] {
            count.store(0, Ordering::Relaxed);
        }
        self.received.store(outstanding, Ordering::Relaxed);
    }
}

impl Durations {
    /// Adds so many durations of this length.
    pub(super) fn record(&self, times: u64, took: Duration) {
        if times == 0 {
            return;
        }
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.count.fetch_add(times, Ordering::Relaxed);
        self.total_us
            .fetch_add(us.saturating_mul(times), Ordering::Relaxed);
        self.most_us.fetch_max(us, Ordering::Relaxed);
        let least = self.least_us.load(Ordering::Relaxed);
        if least == 0 || us + 1 < least {
            self.least_us.store(us + 1, Ordering::Relaxed);
        }
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn shown(&self) -> Latency {
        let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let least = load(&self.least_us).saturating_sub(1);
        Latency::of(
            self.count(),
            load(&self.total_us),
            least,
            load(&self.most_us),
        )
    }

    pub(super) fn reset(&self) {
        for value in [&self.count, &self.total_us, &self.least_us, &self.most_us] {
            value.store(0, Ordering::Relaxed);
        }
    }
}

impl Latency {
    /// From microseconds.
    pub(super) fn of(count: u64, total_us: u64, least_us: u64, most_us: u64) -> Self {
        Self {
            count,
            total: total_us / 1000,
            least: least_us / 1000,
            #[expect(
                clippy::cast_precision_loss,
                reason = "shown to people with four digits"
            )]
            average: total_us as f64 / 1000.0 / count.max(1) as f64,
            most: most_us / 1000,
        }
    }
}
