//! Whether the entries of leaders agree.

use std::collections::BTreeSet;

use crate::component::Component;
use crate::damage;
use crate::model::{FlinkCluster, LeaderEntry, Problem, ProblemKind};

pub(super) fn problems(cluster: &FlinkCluster) -> Vec<Problem> {
    let mut found = jobs_that_are_not_stored(cluster);
    // Before 1.15 each component has an election of its own, and a session of its own.
    if cluster.elections.len() <= 1 {
        found.extend(sessions(cluster));
    }
    found
}

fn jobs_that_are_not_stored(cluster: &FlinkCluster) -> Vec<Problem> {
    let jobs = cluster.leaders.iter().filter_map(|(name, entry)| {
        let stored = cluster.jobs.contains_key(&job(name)?);
        (!stored).then(|| damage::job_leader_orphaned(&entry.key))
    });
    jobs.collect()
}

/// One grant of leadership has one session id, which all components of the process share.
///
/// Only the components of the cluster itself say which session is the present one. The entries of
/// jobs do not: those of ended jobs stay, and may outnumber the others for ever. If the components
/// disagree, the store does not tell which of them is older, and no entry is called stale.
fn sessions(cluster: &FlinkCluster) -> Vec<Problem> {
    let of_cluster = cluster.leaders.iter().filter(|(name, entry)| {
        let component: Component = name.parse().unwrap_or_else(|never| match never {});
        component.is_of_cluster() && !is_told(cluster, entry)
    });
    let of_cluster: Vec<_> = of_cluster.collect();
    let sessions: BTreeSet<_> = of_cluster
        .iter()
        .map(|(_, entry)| entry.leader.session)
        .collect();
    let mut sessions = sessions.into_iter();
    match (sessions.next(), sessions.next()) {
        (None, _) => Vec::new(),
        (Some(present), None) => {
            let stale = cluster.leaders.iter().filter(|(name, entry)| {
                let stored = job(name).is_some_and(|id| cluster.jobs.contains_key(&id));
                stored && entry.leader.session != present && !is_told(cluster, entry)
            });
            let stale = stale.map(|(_, entry)| {
                damage::job_leader_stale(&entry.key, &entry.leader.session, &present)
            });
            stale.collect()
        }
        (Some(_), Some(_)) => {
            let leaders = of_cluster
                .iter()
                .map(|(name, entry)| format!("{name} {}", entry.leader.session));
            let leaders: Vec<_> = leaders.collect();
            let key = cluster.elections.first();
            let key = key.map_or(cluster.source.as_str(), |election| &election.key);
            vec![damage::leaders_mixed(key, &leaders.join(", "))]
        }
    }
}

/// Whether the entry is already called stale, by the ZooKeeper session that owns it.
fn is_told(cluster: &FlinkCluster, entry: &LeaderEntry) -> bool {
    let mut problems = cluster.problems.iter();
    problems.any(|problem| problem.kind == ProblemKind::Stale && problem.key == entry.key)
}

/// The id of the job whose leader's name this is.
fn job(name: &str) -> Option<String> {
    match name.parse() {
        Ok(Component::Job(id)) => Some(id),
        _ => None,
    }
}
