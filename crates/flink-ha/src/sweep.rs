//! Cleaning a cluster's data. The deciding is in `clean/`.

use crate::address::FlinkAddress;
use crate::clean::{CleanRequest, Cleaning, clean};
use crate::error::FlinkError;
use crate::migrate::{End, Seen};
use crate::{files, judge};

/// What was read of a cluster, and what may go of it.
pub struct Cleaner {
    end: End,
    seen: Seen,
    cleaning: Cleaning,
}

impl Cleaner {
    /// Looks for what may go. Nothing is written.
    ///
    /// # Errors
    ///
    /// As [`inspect`](crate::inspect()), and [`FlinkError::Named`]: what was named is not there, or
    /// may not be done.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn look(address: &FlinkAddress, request: &CleanRequest) -> Result<Self, FlinkError> {
        let end = End::of(address)?;
        let mut seen = end.read().await?;
        if seen.is_nothing() {
            return Err(end.nothing());
        }
        if request.files {
            files::look(&mut seen.contents.cluster).await;
            judge::files(&mut seen.contents.cluster);
        }
        let life = end.life(&seen, request.wait).await?;
        let cleaning = clean(&seen.contents, &life, request).map_err(FlinkError::Named)?;
        Ok(Self {
            end,
            seen,
            cleaning,
        })
    }

    /// What may go, and why.
    pub fn cleaning(&self) -> &Cleaning {
        &self.cleaning
    }

    /// Removes what was [chosen](Cleaning::chosen), as it was read: what another process has
    /// changed since then stays.
    ///
    /// # Errors
    ///
    /// [`FlinkError::Changed`]: another process has changed something, or a JobManager may lead by
    /// now; look again. What was removed before stays removed. Others as for
    /// [`migrate`](crate::migrate()).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops in the middle, and the same again goes on. On Kubernetes, all that
    /// goes of one ConfigMap goes in one write. In ZooKeeper, each finding goes in one transaction
    /// if it has at most 500 nodes, and in several if it has more, children before their parents.
    /// What is left of an unfinished copy goes job by job, and stays closed until its last.
    pub async fn apply(&self) -> Result<(), FlinkError> {
        // A person may have thought about it for long.
        let now = self.end.read().await?;
        if !self.still_holds(&now) {
            return Err(FlinkError::Changed(self.end.address()));
        }
        self.end.sweep(&self.seen, &self.cleaning.changes()).await
    }

    /// Whether nobody has begun to lead or to use a copy since it was decided what may go.
    fn still_holds(&self, now: &Seen) -> bool {
        let (seen, now) = (&self.seen.contents, &now.contents);
        let needs_stop = self.cleaning.chosen().any(|finding| finding.needs_stop);
        let is_quiet = seen.in_use == now.in_use && seen.cluster.elections == now.cluster.elections;
        seen.gate == now.gate && (is_quiet || !needs_stop)
    }
}
