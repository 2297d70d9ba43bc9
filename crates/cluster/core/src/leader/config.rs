//! [`LeaderConfig`]: the numbers of a leader, and their usual values.

use std::time::Duration;

/// Silence after which a TaskManager counts as gone, for fenced jobs.
pub const SILENCE: Duration = Duration::from_secs(10);

/// Waiting after which a gang reserves slots as they come free.
pub const RESERVE_AFTER: Duration = Duration::from_secs(30);

/// Records that are opened side by side: enough to hide the latency of a store, and few enough not
/// to drown it.
pub const MOST_OPENING: usize = 64;

/// Terminal jobs that stay in the store.
pub const MOST_TERMINAL: usize = 1_000;

/// Between two checkpoints of a job, if neither the job nor the store says more (R14).
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// The numbers of a leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderConfig {
    /// Silence after which a TaskManager counts as gone, for fenced jobs (R8), and how long a new
    /// leader waits for their ranks (R10).
    pub silence: Duration,
    /// The lease of the election: for how long a deposed leader may have acknowledged.
    pub lease: Duration,
    /// After which a waiting gang reserves slots as they come free (R2).
    pub reserve_after: Duration,
    /// How many records are opened at a time.
    pub most_opening: usize,
    /// How many terminal jobs stay in the store (R11).
    pub most_terminal: usize,
    /// Between two checkpoints of a job that does not say (R14): usually [`CHECKPOINT_INTERVAL`],
    /// or what the store asks for.
    pub checkpoint_interval: Duration,
    /// Where TaskManagers send their reports: `http://host:port` of this JobManager.
    pub address: String,
}

impl LeaderConfig {
    /// The usual numbers, with this lease of the election and this address for reports.
    pub fn usual(lease: Duration, address: String) -> Self {
        Self {
            silence: SILENCE,
            lease,
            reserve_after: RESERVE_AFTER,
            most_opening: MOST_OPENING,
            most_terminal: MOST_TERMINAL,
            checkpoint_interval: CHECKPOINT_INTERVAL,
            address,
        }
    }
}
