//! Where a held request waits: [`wait`].

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, sleep};

use crate::decide::problem::Problem;
use crate::leader::gate::{Gate, Pass};
use crate::shared::Shared;

/// The place of a request among those that are held.
pub(crate) struct HeldPlace {
    _permit: OwnedSemaphorePermit,
    since: Instant,
}

impl HeldPlace {
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

impl Drop for HeldPlace {
    fn drop(&mut self) {
        metrics::gauge!("incumbent_gateway_held").decrement(1);
        metrics::histogram!("incumbent_gateway_held_seconds").record(self.since.elapsed());
    }
}

/// Waits until there is something new to decide: the view of the leader has changed, this request
/// may pass the `gate` of a leader that has just appeared, the time is over, or the gateway ends.
/// Returns the pass, if that is what came.
pub(crate) async fn wait(
    shared: &Shared,
    changed: Pin<&mut Notified<'_>>,
    gate: Option<&Gate>,
    longest: Duration,
) -> Option<Pass> {
    let pass = async {
        match gate {
            Some(gate) => gate.pass().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = changed => None,
        pass = pass => Some(pass),
        () = sleep(longest) => None,
        () = shared.closing() => None,
    }
}
