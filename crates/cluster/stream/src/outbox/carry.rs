//! The thread that delivers what is committed, and [`Patience`], with which it waits.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Batch, Carrier};
use crate::BoxError;

/// How long a commit waits until its batches are delivered. It is so long that a delivered batch is
/// hardly ever in the next checkpoint, and so short that checkpoints go on during an outage.
const SOON: Duration = Duration::from_secs(1);

/// Between the attempts of a [`Carrier`]: waits, and says when there is nobody left to deliver for.
#[derive(Clone)]
pub struct Patience {
    shared: Arc<Shared>,
}

impl Patience {
    /// Waits for this long. Returns false, perhaps earlier, if the delivery is to be given up with
    /// any error, as the attempt has ended.
    #[must_use]
    pub fn pause(&self, pause: Duration) -> bool {
        let state = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, pause, |state| !state.is_closed);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_closed
    }
}

/// What is on its way to the other system. Dropping it gives the rest up.
pub(super) struct Carrying {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The first one is being delivered.
    batches: VecDeque<Batch>,
    /// Nobody waits for the rest.
    is_closed: bool,
    /// The thread delivers nothing any more.
    has_ended: bool,
    /// Why, until it was reported.
    failed: Option<BoxError>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&mut self) -> Result<(), BoxError> {
        match self.failed.take() {
            Some(why) => Err(why),
            None if self.has_ended => Err("this sink has failed before".into()),
            None => Ok(()),
        }
    }

    fn is_waiting(&self) -> bool {
        !self.batches.is_empty() && !self.has_ended
    }
}

impl Carrying {
    pub(super) fn start(sink: &str, carrier: impl Carrier) -> Result<Self, BoxError> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let end = End(Arc::clone(&shared));
        std::thread::Builder::new()
            .name(format!("to {sink}"))
            .spawn(move || carry(&end, carrier))?;
        Ok(Self { shared })
    }

    /// This one is next.
    pub(super) fn give(&mut self, batch: Batch) {
        self.shared.lock().batches.push_back(batch);
        self.shared.changed.notify_all();
    }

    /// Whether it still delivers.
    pub(super) fn check(&self) -> Result<(), BoxError> {
        self.shared.lock().check()
    }

    /// What was given and is not known to be delivered.
    pub(super) fn undelivered(&self) -> Result<Vec<Batch>, BoxError> {
        let mut state = self.shared.lock();
        state.check()?;
        Ok(state.batches.iter().cloned().collect())
    }

    /// Waits until everything is delivered.
    pub(super) fn all_delivered(&self) -> Result<(), BoxError> {
        let state = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_while(state, |state| state.is_waiting());
        waited.unwrap_or_else(PoisonError::into_inner).check()
    }

    /// The same, but not for long.
    pub(super) fn delivered_soon(&self) -> Result<(), BoxError> {
        let state = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, SOON, |state| state.is_waiting());
        waited.unwrap_or_else(PoisonError::into_inner).0.check()
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.shared.lock().batches.iter().map(Batch::size).sum()
    }
}

impl Drop for Carrying {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

/// Says that the thread has ended, also if it has panicked.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.lock().has_ended = true;
        self.0.changed.notify_all();
    }
}

fn carry(end: &End, mut carrier: impl Carrier) {
    let shared = &end.0;
    let patience = Patience {
        shared: Arc::clone(shared),
    };
    loop {
        let idle = |state: &mut State| state.batches.is_empty() && !state.is_closed;
        let state = shared.changed.wait_while(shared.lock(), idle);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            return;
        }
        let batch = state.batches.front().cloned();
        drop(state);
        let Some(batch) = batch else { continue };
        let delivered = carrier.deliver(&batch, &patience);
        let mut state = shared.lock();
        match delivered {
            Ok(()) => drop(state.batches.pop_front()),
            Err(why) => {
                state.failed = Some(why);
                return;
            }
        }
        drop(state);
        shared.changed.notify_all();
    }
}
