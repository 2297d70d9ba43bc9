//! The thread that ends a term at its deadlines, whatever the async runtime and the backend are
//! doing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use incumbent_core::election::LostBecause;

use crate::term::Term;

/// Shortest wait, so that a rounding error does not spin.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Longest wait. A condition variable's clock stands still while the machine is suspended, and the
/// deadlines do not.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

type Hook = Box<dyn FnOnce() + Send>;

/// Runs hooks at the hard deadline of a term unless it is dropped before. One thread per
/// leadership.
pub(crate) struct Deadline {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    watched: Mutex<Watched>,
    changed: Condvar,
}

/// What the thread and the owner of the [`Deadline`] share.
#[derive(Default)]
struct Watched {
    /// The leadership is gone, so nothing has to end any more.
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

    /// Runs `hook` on the deadline thread when the hard deadline passes, at once if it has passed.
    pub(crate) fn on_hard(&self, hook: Hook) {
        self.shared.lock().hooks.push(hook);
        self.shared.changed.notify_all();
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
        let mut watched = self.lock();
        while !watched.over {
            let invalid = term.until_invalid();
            if invalid.is_zero() {
                term.end(LostBecause::DeadlinePassed);
            }
            let hard = term.until_hard();
            if hard.is_zero() && !watched.hooks.is_empty() {
                let hooks = std::mem::take(&mut watched.hooks);
                drop(watched);
                for hook in hooks {
                    // The panic of a hook is reported on standard error. The other hooks still run.
                    let _ = catch_unwind(AssertUnwindSafe(hook));
                }
                watched = self.lock();
                continue;
            }
            let next = [invalid, hard]
                .into_iter()
                .filter(|left| !left.is_zero())
                .min();
            let wait = next
                .unwrap_or(LONGEST_WAIT)
                .clamp(SHORTEST_WAIT, LONGEST_WAIT);
            watched = self
                .changed
                .wait_timeout(watched, wait)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
