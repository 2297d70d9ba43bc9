//! The thread that ends a term at its deadlines, whatever the async runtime and the backend are doing.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use incumbent_core::election::LostBecause;

use crate::term::Term;

/// Shortest wait, so that a rounding error does not spin.
const TICK: Duration = Duration::from_millis(1);

type Hook = Box<dyn FnOnce() + Send>;

/// Runs hooks at the hard deadline of a term unless it is dropped before. One thread per leadership.
pub(crate) struct Deadline {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    over: bool,
    hooks: Vec<Hook>,
}

impl Deadline {
    pub(crate) fn watch(term: Arc<Term>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("incumbent-deadline".into())
            .spawn(move || theirs.run(&term))?;
        Ok(Self { shared })
    }

    /// Runs `hook` on the deadline thread when the hard deadline passes.
    pub(crate) fn on_hard(&self, hook: Hook) {
        self.shared.lock().hooks.push(hook);
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn run(&self, term: &Term) {
        let mut state = self.lock();
        while !state.over {
            let invalid = term.until_invalid();
            if invalid.is_zero() {
                term.end(LostBecause::DeadlinePassed);
            }
            let hard = term.until_hard();
            if hard.is_zero() {
                let hooks = std::mem::take(&mut state.hooks);
                drop(state);
                hooks.into_iter().for_each(|hook| hook());
                return;
            }
            let wait = if invalid.is_zero() {
                hard
            } else {
                invalid.min(hard)
            };
            state = self
                .changed
                .wait_timeout(state, wait.max(TICK))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
