//! [`At`]: where a source or a sink runs.

use std::fmt;
use std::sync::Arc;

use incumbent_state::hash_key;

/// Where a source or a sink runs: one rank of one attempt of a job.
#[derive(Clone, Debug)]
pub struct At {
    /// The name of the source or the sink in the job.
    pub name: String,
    /// The id of the job: 32 hexadecimal digits. `local` if there is no cluster.
    pub job: String,
    /// The number of the attempt. It rises: other systems can refuse what comes with a lower one.
    pub attempt: u64,
    /// The rank, from 0.
    pub rank: u32,
    /// How many tasks the job has.
    pub tasks: u32,
    /// Wakes the worker, for a source that had nothing and has something now.
    pub waker: Waker,
}

impl At {
    /// Whether this rank takes care of what has this name: a split, or something staged. Each name
    /// belongs to one rank.
    pub fn is_mine(&self, name: &str) -> bool {
        hash_key(name) % u64::from(self.tasks) == u64::from(self.rank)
    }
}

/// Wakes a worker from any thread.
#[derive(Clone)]
pub struct Waker {
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Waker {
    /// One that calls this.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            wake: Arc::new(wake),
        }
    }

    /// Wakes the worker: it asks its sources again. It may be called often; calls are put together.
    pub fn wake(&self) {
        (self.wake)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}
