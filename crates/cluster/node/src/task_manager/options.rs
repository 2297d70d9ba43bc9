//! [`TaskManagerOptions`]: the numbers of a TaskManager.

use std::path::PathBuf;
use std::time::Duration;

pub use incumbent_cluster_core::task_manager::{HEARTBEAT, PATIENCE};

use super::artifacts::ARTIFACT_CACHE;
use super::kept::KeptLimits;
use super::log::LogLimits;

/// How long a drain may take, until what is left is ended: moving a task takes as long as its
/// grace.
pub const DRAIN: Duration = Duration::from_secs(60);

/// Most slots of one TaskManager: each has a port.
pub const MOST_SLOTS: u32 = 10_000;

/// The numbers of a TaskManager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskManagerOptions {
    /// How many tasks run at a time.
    pub slots: u32,
    /// Pause between heartbeats; usually [`HEARTBEAT`].
    pub heartbeat: Duration,
    /// How long the leader may take to acknowledge a report; usually [`PATIENCE`].
    pub patience: Duration,
    /// How long a drain may take; usually [`DRAIN`].
    pub drain: Duration,
    /// How much disk the log of one task may take.
    pub log: LogLimits,
    /// How much of the logs of ended tasks stays.
    pub kept: KeptLimits,
    /// Bytes of artifacts that are kept; usually [`ARTIFACT_CACHE`].
    pub artifact_cache: u64,
    /// The soft limit of open files of each task, if not this process's. A TaskManager needs some
    /// for each task and raises its own limit; many programs expect a low one.
    pub open_files: Option<u64>,
    /// The executable of guards, whose `main` begins with [`incumbent_guard::intercept`]. Usually
    /// this process's own.
    pub executable: PathBuf,
}

impl TaskManagerOptions {
    /// The usual numbers, with this many slots.
    pub fn new(slots: u32) -> Self {
        Self {
            slots,
            heartbeat: HEARTBEAT,
            patience: PATIENCE,
            drain: DRAIN,
            log: LogLimits::default(),
            kept: KeptLimits::default(),
            artifact_cache: ARTIFACT_CACHE,
            open_files: None,
            executable: PathBuf::from("/proc/self/exe"),
        }
    }
}
