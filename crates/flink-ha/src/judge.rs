//! What is wrong with a cluster's data as a whole, on either store.

use std::collections::BTreeMap;

use crate::component::Component;
use crate::model::{FlinkCluster, ProblemKind};
use crate::session_id::SessionId;

/// Adds what only shows when entries are put together, and brings the problems into order.
pub(crate) fn judge(cluster: &mut FlinkCluster) {
    leaders_of_other_sessions(cluster);
    leaders_of_no_job(cluster);
    jobs(cluster);
    cluster.problems.sort();
    cluster.problems.dedup();
}

/// One grant has one session id, and all components of a process share it. Before 1.15 each had a
/// grant of its own.
fn leaders_of_other_sessions(cluster: &mut FlinkCluster) {
    if cluster.elections.len() > 1 {
        return;
    }
    let mut sessions: BTreeMap<SessionId, usize> = BTreeMap::new();
    for entry in cluster.leaders.values() {
        *sessions.entry(entry.leader.session).or_default() += 1;
    }
    let dispatchers = cluster.leaders.get("dispatcher");
    let dispatchers = dispatchers.map(|entry| entry.leader.session);
    // What most say; if it is a draw, what the dispatcher says.
    let usual = sessions
        .into_iter()
        .max_by_key(|(session, count)| (*count, Some(*session) == dispatchers));
    let Some((usual, _)) = usual else { return };
    let others: Vec<_> = cluster
        .leaders
        .values()
        .filter(|entry| entry.leader.session != usual)
        .map(|entry| (entry.key.clone(), entry.leader.session))
        .collect();
    for (key, session) in others {
        let reason = format!("its session {session} is not that of the others, {usual}");
        cluster.problem(key, ProblemKind::Stale, reason);
    }
}

fn leaders_of_no_job(cluster: &mut FlinkCluster) {
    let mut left = Vec::new();
    for (name, entry) in &cluster.leaders {
        if let Ok(Component::Job(id)) = name.parse()
            && !cluster.jobs.contains_key(&id)
        {
            left.push((entry.key.clone(), id));
        }
    }
    for (key, id) in left {
        let reason = format!("nothing is stored of the job {id}");
        cluster.problem(key, ProblemKind::Orphaned, reason);
    }
}

fn jobs(cluster: &mut FlinkCluster) {
    let mut found = Vec::new();
    for (id, job) in &cluster.jobs {
        if job.graph.is_none() {
            let reason =
                "there are checkpoints or a counter, and neither job graph nor execution plan";
            found.push((id.clone(), ProblemKind::Orphaned, reason.to_owned()));
        }
        let checkpoints = job.checkpoints.iter().map(|checkpoint| &checkpoint.entry);
        for entry in job.graph.iter().chain(checkpoints) {
            if entry.deleting {
                let reason = "its removal was begun, and is not finished";
                found.push((entry.key.clone(), ProblemKind::Deleting, reason.to_owned()));
            }
        }
        let newest = job.checkpoints.iter().map(|checkpoint| checkpoint.id).max();
        if let (Some(newest), Some(counter)) = (newest, job.counter)
            && counter <= newest
        {
            let reason = format!("the next checkpoint would be {counter}, and there is {newest}");
            found.push((id.clone(), ProblemKind::CounterBehind, reason));
        }
    }
    for (key, kind, reason) in found {
        cluster.problem(key, kind, reason);
    }
}
