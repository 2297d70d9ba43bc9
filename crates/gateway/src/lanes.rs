//! Threads that serve connections, each by itself: [`Lanes`].

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Threads with a runtime of their own, among which a gateway deals out its connections.
///
/// What belongs to one connection then stays on one thread, its connection to the leader included:
/// no request wakes another thread. That is cheaper than a runtime that shares all among its
/// threads, by about a tenth. In return, work that takes long holds up the others on its thread, so
/// nothing else should run there.
///
/// Dropping it ends the threads, and what runs on them.
pub struct Lanes {
    lanes: Vec<Lane>,
    next: AtomicUsize,
}

struct Lane {
    handle: Handle,
    /// Dropped, it ends the thread.
    _end: oneshot::Sender<()>,
}

impl Lanes {
    /// Starts this many threads, one at least. As many as there are processors is right.
    ///
    /// # Errors
    ///
    /// What the system says if it gives no more threads or descriptors.
    pub fn start(count: usize) -> io::Result<Self> {
        let lanes = (0..count.max(1)).map(Lane::start).collect::<Result<_, _>>();
        Ok(Self {
            lanes: lanes?,
            next: AtomicUsize::new(0),
        })
    }

    /// Where the next connection belongs.
    pub(crate) fn next(&self) -> &Handle {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        &self.lanes[number % self.lanes.len()].handle
    }
}

impl Lane {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        thread::Builder::new()
            .name(format!("lane {number}"))
            .spawn(move || {
                // Nothing is ever sent: the other end is dropped.
                let _ = runtime.block_on(ended);
            })?;
        Ok(Self { handle, _end: end })
    }
}
