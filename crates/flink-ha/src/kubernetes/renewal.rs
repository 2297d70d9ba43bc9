//! Whether the holders of locks are alive: their locks change.

use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use tokio::time::{Instant, sleep};

use super::cluster::Cluster;
use super::layout::lock_text;
use super::list::{in_time, named};
use crate::error::FlinkError;
use crate::model::Election;

/// How often a watched lock is read. It is renewed every 5 s, as Flink is set up usually.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a lock is watched whose lease is unreadable: as long as Flink's usual lease.
const USUAL_LEASE: Duration = Duration::from_secs(15);

/// How long a lock is watched at most.
const LONGEST: Duration = Duration::from_secs(60);

/// Most locks that are watched. Since Flink 1.15 a cluster has one. Before, it had three, and one
/// for each job.
const MOST: usize = 4;

/// What was seen of a lock while it was watched.
#[derive(Clone, Copy)]
pub(crate) enum Watched {
    /// It changed, as was seen then.
    Changed(Instant),
    /// It did not change for so long.
    Silent(Duration),
}

/// Watches the locks of these elections until each has changed, or its lease has passed, by our own
/// clock and from when it was first read. The times in a lock are of its holder's clock, and are
/// not looked at.
pub(crate) async fn watch(
    cluster: &Cluster,
    elections: &[Election],
) -> Result<Vec<(String, Watched)>, FlinkError> {
    let locks = elections.iter().filter_map(|election| {
        let lease = election.lock.as_ref()?.lease().unwrap_or(USUAL_LEASE);
        Some((election.key.clone(), lease.min(LONGEST)))
    });
    let watched = locks.take(MOST).map(|(key, lease)| async move {
        let seen = watch_one(cluster, &key, lease).await?;
        Ok((key, seen))
    });
    try_join_all(watched).await
}

async fn watch_one(cluster: &Cluster, name: &str, lease: Duration) -> Result<Watched, FlinkError> {
    let text = |map: Option<ConfigMap>| map.as_ref().and_then(lock_text).map(str::to_owned);
    let first = text(in_time(named(cluster, name)).await?);
    // From the first answer to when the last request is sent: the lock was silent for as long.
    let begun = Instant::now();
    loop {
        sleep(PAUSE).await;
        let watched = begun.elapsed();
        if text(in_time(named(cluster, name)).await?) != first {
            return Ok(Watched::Changed(Instant::now()));
        }
        if watched >= lease {
            return Ok(Watched::Silent(watched));
        }
    }
}
