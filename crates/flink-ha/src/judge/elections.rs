//! Whether anybody leads.

use crate::damage;
use crate::model::{Election, FlinkCluster, Problem};

pub(super) fn problems(cluster: &FlinkCluster) -> Vec<Problem> {
    let jobs = cluster.stored_jobs();
    if cluster.elections.is_empty() {
        return vec![damage::no_election(&cluster.source, jobs)];
    }
    let free = cluster.elections.iter();
    let free = free.filter(|election| election.holder.is_none());
    let free = free.filter_map(|election| match election {
        Election {
            waiting: Some(_), ..
        } => Some(damage::latch_free(&election.key, jobs)),
        Election { lock: Some(_), .. } => Some(damage::lock_free(&election.key, jobs)),
        // A lock that is missing or unreadable is a problem of its own.
        _ => None,
    });
    free.collect()
}
