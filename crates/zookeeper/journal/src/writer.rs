//! The thread that writes. It takes everything that waits, writes it, syncs it, and publishes that.
//! Entries that are appended in between wait for the next round. So the more there is to do, the
//! more is done with one sync.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};

use crate::error::{Failure, is_full};
use crate::files::Trouble;
use crate::format::batch::Entries;
use crate::log::Log;
use crate::segment::{self, Segment};
use crate::shared::{Alive, Shared, Waiting, lock};

/// The segment after the present one.
#[derive(Debug)]
pub(crate) enum NextSegment {
    /// It is not being prepared yet.
    Later,
    Preparing(JoinHandle<Result<Segment, Trouble>>),
    Ready(Segment),
}

/// Starts the thread. It runs until the journal is closed or fails.
pub(crate) fn start(
    shared: Arc<Shared>,
    log: Log,
    next: Option<Segment>,
    alive: Arc<Alive>,
) -> io::Result<()> {
    let writer = Writer {
        next: next.map_or(NextSegment::Later, NextSegment::Ready),
        shared,
        alive,
    };
    thread::Builder::new()
        .name("journal".into())
        .spawn(move || writer.run(log))
        .map(drop)
}

#[derive(Debug)]
struct Writer {
    shared: Arc<Shared>,
    next: NextSegment,
    alive: Arc<Alive>,
}

impl Writer {
    fn run(mut self, mut log: Log) {
        let mut spare = Waiting::default();
        loop {
            if matches!(self.next, NextSegment::Later) {
                self.next = self.prepare(log.segment.header.number + 1);
            }
            let Some((waiting, last)) = take(&self.shared, spare) else {
                break;
            };
            let entries = Entries {
                body: &waiting.body,
                count: waiting.count,
                last: Some(last),
            };
            match log.commit(entries, |number| self.next(number)) {
                Ok(ended) => {
                    lock(&self.shared.kept).add_ended(ended);
                    self.shared.publish(last, std::mem::take(&mut log.syncs));
                }
                Err(failure) => {
                    self.shared.fail(failure);
                    break;
                }
            }
            spare = waiting;
        }
    }

    /// Begins to make the next segment on a thread of its own.
    fn prepare(&self, number: u64) -> NextSegment {
        let (shared, alive) = (Arc::clone(&self.shared), Arc::clone(&self.alive));
        let thread = thread::Builder::new()
            .name("journal-prepare".into())
            .spawn(move || {
                let _alive = alive;
                let Shared {
                    files,
                    journal,
                    options,
                    stop,
                    ..
                } = &*shared;
                let length = options.segment_length(number);
                let told = segment::prepare(files, *journal, number, length, stop);
                if let (Err(trouble), false) = (&told, stop.load(Ordering::Relaxed)) {
                    let (path, cause) = (trouble.path.display(), &trouble.source);
                    tracing::warn!(%path, %cause, "cannot prepare the next segment of the log; retrying when it is needed, and if that fails, the journal stops");
                }
                told
            });
        // Without a thread, the segment is made when it is needed.
        thread.map_or(NextSegment::Later, NextSegment::Preparing)
    }

    /// The next segment, which has this number.
    fn next(&mut self, number: u64) -> Result<Segment, Failure> {
        let prepared = match std::mem::replace(&mut self.next, NextSegment::Later) {
            NextSegment::Ready(segment) => return Ok(segment),
            NextSegment::Preparing(thread) => thread.join().ok(),
            NextSegment::Later => None,
        };
        let stopped = self.shared.stop.load(Ordering::Relaxed);
        match prepared {
            // The disk may have room by now. Making the file again is safe: nothing was written to
            // it.
            Some(Err(trouble)) if !stopped && !is_full(&trouble.source) => Err(trouble.into()),
            Some(Ok(segment)) => Ok(segment),
            None | Some(Err(_)) => Ok(segment::prepare(
                &self.shared.files,
                self.shared.journal,
                number,
                self.shared.options.segment_length(number),
                // Entries that were appended before the close are written.
                &AtomicBool::new(false),
            )?),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // A panic is our mistake. All waiting callers must learn of it.
        if thread::panicking() {
            let error = io::Error::other("the thread that writes panicked");
            self.shared
                .fail(Failure::new("write to", self.shared.files.dir(), error));
        }
        if let NextSegment::Preparing(thread) =
            std::mem::replace(&mut self.next, NextSegment::Later)
        {
            // It ends early, and removes what it has made so far.
            self.shared.stop.store(true, Ordering::Relaxed);
            let _ = thread.join();
        }
    }
}

/// Waits until there is something to write, and takes all of it. Returns `None` when the journal is
/// closed and everything is written.
fn take(shared: &Shared, spare: Waiting) -> Option<(Waiting, u64)> {
    let mut state = lock(&shared.state);
    while state.waiting.count == 0 && !state.closing {
        state.idle = true;
        state = shared
            .ready
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
    }
    state.idle = false;
    if state.waiting.count == 0 {
        return None;
    }
    let last = state.last;
    let waiting = std::mem::replace(&mut state.waiting, spare.emptied());
    Some((waiting, last))
}
