//! Where a held request waits: [`wait`].

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, sleep_until};

use crate::decide::problem::Problem;
use crate::shared::Shared;

/// A request that is held, while this exists.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    since: Instant,
}

impl Place {
    /// A place to wait, if there is one.
    pub(crate) fn take(shared: &Shared) -> Result<Self, Problem> {
        let permit = Arc::clone(&shared.places)
            .try_acquire_owned()
            .map_err(|_| Problem::TooManyHeld)?;
        metrics::gauge!("incumbent_gateway_held").increment(1);
        Ok(Self {
            _permit: permit,
            since: Instant::now(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("incumbent_gateway_held").decrement(1);
        metrics::histogram!("incumbent_gateway_held_seconds").record(self.since.elapsed());
    }
}

/// Waits until the view of the leader has changed, for this long at most, or until nothing is held
/// any longer. Tells how long that was.
pub(crate) async fn wait(
    shared: &Shared,
    changed: Pin<&mut Notified<'_>>,
    longest: Duration,
) -> Duration {
    let began = Instant::now();
    tokio::select! {
        () = changed => {}
        () = sleep_until(began + longest) => {}
        () = shared.closing() => {}
    }
    began.elapsed()
}
