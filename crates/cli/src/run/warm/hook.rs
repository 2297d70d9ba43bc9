//! A hook that runs.

use incumbent_guard::{Event, GuardLost, Guarded};
use tokio::task::JoinHandle;

use super::machine::Which;
use crate::run::term::warn_of_lingering;

/// A hook under its guard, and the task that renews its deadlines.
pub(super) struct Hook {
    pub(super) which: Which,
    pub(super) process: Guarded,
    pub(super) feeder: JoinHandle<()>,
}

impl Hook {
    /// Waits for its end. Returns whether it exited with 0.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(super) async fn ended(&mut self) -> Result<bool, GuardLost> {
        loop {
            match self.process.next_event().await? {
                Event::Ended(end) => {
                    let code = end.exit.exit_code();
                    let which = self.which;
                    match code {
                        0 => tracing::info!(?which, "the hook has ended"),
                        code => tracing::warn!(?which, code, "the hook has failed, or was ended"),
                    }
                    return Ok(code == 0);
                }
                Event::Lingering { count } => warn_of_lingering(count),
                Event::Stopped { .. } | Event::Continued => {}
            }
        }
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.feeder.abort();
    }
}
