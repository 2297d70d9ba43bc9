//! Lets requests through to a leader that has just appeared, a few at first: [`Gate`]. How many is
//! decided in [`crate::decide::slow_start`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use crate::decide::slow_start::{FIRST, Growth, STEP, SlowStart};

/// What requests to one leader pass. Those that wait pass in the order in which they came.
pub(crate) struct Gate {
    /// Read by every request, so that a leader that has been there for long costs no more than
    /// this.
    is_open: AtomicBool,
    start: Mutex<Arc<Start>>,
}

/// One start of the leader.
struct Start {
    began: Instant,
    room: Arc<Semaphore>,
    width: Mutex<SlowStart>,
    is_timed: AtomicBool,
}

/// The right of one request to be sent, until its answer begins.
pub(crate) struct Pass {
    limited: Option<(Arc<Start>, OwnedSemaphorePermit)>,
}

impl Gate {
    /// The gate to a leader that has just appeared.
    pub(crate) fn new() -> Self {
        Self {
            is_open: AtomicBool::new(false),
            start: Mutex::new(Arc::new(Start::new())),
        }
    }

    /// Begins again: the leader was away, and may have been started anew.
    pub(crate) fn restart(&self) {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        *start = Arc::new(Start::new());
        self.is_open.store(false, Ordering::Release);
    }

    /// A pass, if there is room now and nobody waits.
    pub(crate) fn try_pass(&self) -> Option<Pass> {
        if self.is_open.load(Ordering::Acquire) {
            return Some(Pass { limited: None });
        }
        let start = self.start();
        match Arc::clone(&start.room).try_acquire_owned() {
            Ok(permit) => Some(Pass {
                limited: Some((start, permit)),
            }),
            Err(tokio::sync::TryAcquireError::NoPermits) => None,
            Err(tokio::sync::TryAcquireError::Closed) => {
                self.open(&start);
                Some(Pass { limited: None })
            }
        }
    }

    /// A pass, waited for.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses the place among those that wait.
    pub(crate) async fn pass(&self) -> Pass {
        if let Some(pass) = self.try_pass() {
            return pass;
        }
        let start = self.start();
        start.time();
        match Arc::clone(&start.room).acquire_owned().await {
            Ok(permit) => Pass {
                limited: Some((start, permit)),
            },
            Err(_) => {
                self.open(&start);
                Pass { limited: None }
            }
        }
    }

    fn start(&self) -> Arc<Start> {
        Arc::clone(&self.start.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes that this start is over, unless another one has begun since.
    fn open(&self, start: &Arc<Start>) {
        let now = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&now, start) {
            self.is_open.store(true, Ordering::Release);
        }
    }
}

impl Pass {
    /// The answer has begun: one more may follow.
    pub(crate) fn answered(self) {
        if let Some((start, _permit)) = self.limited {
            start.grow(SlowStart::answered);
        }
    }
}

impl Start {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            room: Arc::new(Semaphore::new(FIRST as usize)),
            width: Mutex::new(SlowStart::new()),
            is_timed: AtomicBool::new(false),
        }
    }

    fn grow(&self, how: impl FnOnce(&mut SlowStart) -> Growth) {
        let mut width = self.width.lock().unwrap_or_else(PoisonError::into_inner);
        match how(&mut width) {
            Growth::By(more) => self.room.add_permits(more as usize),
            Growth::Unlimited => self.room.close(),
        }
    }

    /// Widens it with time from now on. A task does so, and only once somebody waits.
    fn time(self: &Arc<Self>) {
        if self.is_timed.swap(true, Ordering::Relaxed) {
            return;
        }
        let start = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                sleep(STEP).await;
                let Some(start) = start.upgrade() else { return };
                if start.room.is_closed() {
                    return;
                }
                start.grow(|width| width.passed(start.began.elapsed()));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::slow_start::FULL;

    #[tokio::test(start_paused = true)]
    async fn a_few_pass_first_and_the_rest_as_those_are_answered() {
        let gate = Gate::new();
        let mut passes: Vec<Pass> = (0..FIRST).map(|_| gate.try_pass().unwrap()).collect();
        assert!(gate.try_pass().is_none());
        passes.remove(0).answered();
        let two: Vec<Pass> = std::iter::from_fn(|| gate.try_pass()).collect();
        assert_eq!(two.len(), 2);
        // One that brought no answer makes room for itself only.
        drop(passes.remove(0));
        let one: Vec<Pass> = std::iter::from_fn(|| gate.try_pass()).collect();
        assert_eq!(one.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_gate_stays_open_until_the_leader_starts_again() {
        let gate = Gate::new();
        for _ in 0..FULL {
            gate.try_pass().unwrap().answered();
        }
        let all: Vec<Pass> = (0..2 * FULL).map(|_| gate.try_pass().unwrap()).collect();
        gate.restart();
        let some: Vec<Pass> = std::iter::from_fn(|| gate.try_pass()).collect();
        assert_eq!(some.len(), FIRST as usize);
        drop(all);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_pass_in_the_order_in_which_they_came() {
        let gate = Arc::new(Gate::new());
        let first: Vec<Pass> = (0..FIRST).map(|_| gate.try_pass().unwrap()).collect();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..20 {
            let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                let pass = gate.pass().await;
                order.lock().unwrap().push(number);
                pass.answered();
            }));
            tokio::task::yield_now().await;
        }
        for pass in first {
            pass.answered();
        }
        futures::future::join_all(waiting).await;
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_leader_lets_nobody_wait_for_long() {
        let gate = Gate::new();
        let began = Instant::now();
        let mut all = Vec::new();
        for _ in 0..2 * FULL {
            all.push(gate.pass().await);
        }
        assert!(began.elapsed() <= 9 * STEP, "{:?}", began.elapsed());
    }
}
