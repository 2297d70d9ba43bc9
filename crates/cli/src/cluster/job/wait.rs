//! Follows a job until it has ended.

use std::time::Duration;

use incumbent::backend::{Pace, jitter};
use incumbent_cluster_core::view::JobView;

use super::find::{look, named};
use crate::cluster::client::{Client, ClientError};
use crate::exit::Failure;

/// How often a job is looked at. Its state is asked of the leader, which has it in memory.
pub(super) const INTERVAL: Duration = Duration::from_millis(250);

/// How long a cluster may be away before the waiting is given up.
const PATIENCE: Duration = Duration::from_secs(300);

/// Longest pause while it is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Waits until the job has ended, and tells each view of it on the way.
///
/// # Errors
///
/// The job is gone, or the cluster has not answered for five minutes.
pub(super) async fn until_ended(
    client: &Client,
    job: &str,
    mut tell: impl FnMut(&JobView),
) -> Result<JobView, Failure> {
    let mut outage = Outage::new();
    loop {
        match look(client, job).await {
            Ok(view) => {
                outage.is_over();
                tell(&view);
                if view.state.is_terminal() {
                    return Ok(view);
                }
                tokio::time::sleep(INTERVAL).await;
            }
            Err(error) => outage.endure(error, |error| named(error, job)).await?,
        }
    }
}

/// A cluster that does not answer, and the patience with it.
#[derive(Debug)]
pub(super) struct Outage {
    pace: Pace,
    waited: Duration,
}

impl Outage {
    pub(super) fn new() -> Self {
        Self {
            pace: Pace::new(INTERVAL, LONGEST_PAUSE),
            waited: Duration::ZERO,
        }
    }

    /// It has answered.
    pub(super) fn is_over(&mut self) {
        *self = Self::new();
    }

    /// Pauses after a request that failed; gives up if it makes no sense to repeat it.
    pub(super) async fn endure(
        &mut self,
        error: ClientError,
        failure: impl FnOnce(ClientError) -> Failure,
    ) -> Result<(), Failure> {
        if !error.may_pass() || self.waited >= PATIENCE {
            return Err(failure(error));
        }
        let pause = self.pace.after_failure(jitter());
        self.waited += pause;
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
