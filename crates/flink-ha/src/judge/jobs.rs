//! What Flink would make of the jobs and applications at its next failover.

use crate::damage::{self, Recovered};
use crate::model::{
    Checkpoint, Defect, FileState, FlinkCluster, FlinkJob, Pointer, Problem, ProblemKind,
};

pub(super) fn problems(cluster: &FlinkCluster) -> Vec<Problem> {
    let mut found = Vec::new();
    for pointer in cluster.applications.values() {
        found.extend(recovery(Recovered::Application, pointer, true));
    }
    for (id, job) in &cluster.jobs {
        let runs = cluster.leaders.contains_key(&format!("job-{id}"));
        found.extend(plan(id, job, runs));
        found.extend(counter(id, job));
        let checkpoints = job.checkpoints.iter();
        found.extend(checkpoints.filter_map(|damaged| checkpoint(job, damaged)));
    }
    found
}

fn plan(id: &str, job: &FlinkJob, runs: bool) -> Vec<Problem> {
    let of_plan = match &job.plan {
        Some(pointer) => recovery(Recovered::Job, pointer, runs),
        None => Some(damage::plan_missing(id, runs)),
    };
    let outdated = job.older_graph.as_deref().map(damage::job_graph_outdated);
    of_plan.into_iter().chain(outdated).collect()
}

/// What is wrong with the pointer to an application or a job.
fn recovery(what: Recovered, pointer: &Pointer, runs: bool) -> Option<Problem> {
    let key = &pointer.key;
    // Flink looks for the mark of a removal first.
    if pointer.deleting {
        return Some(damage::recovery_skipped(what, key, runs));
    }
    let (kind, reason) = fault(pointer)?;
    Some(damage::recovery_fails(what, kind, key, reason))
}

fn checkpoint(job: &FlinkJob, damaged: &Checkpoint) -> Option<Problem> {
    let Checkpoint { id, pointer } = damaged;
    let (id, key) = (*id, &pointer.key);
    let instead = || {
        let others = job.checkpoints.iter().filter(|other| is_loaded(other));
        others.map(|other| other.id).max()
    };
    let (kind, reason) = if pointer.deleting {
        let reason = "its removal has begun, and is not finished";
        (ProblemKind::Deleting, reason.to_owned())
    } else {
        fault(pointer)?
    };
    Some(if job.plan.is_none() {
        damage::checkpoint_unused(kind, key, reason)
    } else if is_loaded(damaged) {
        damage::checkpoint_fatal(kind, key, id, reason)
    } else {
        damage::checkpoint_ignored(kind, key, id, reason, instead())
    })
}

/// Whether Flink loads this checkpoint at a failover. It passes over those that it cannot decode or
/// that are being removed, and fails on all others that are damaged.
fn is_loaded(checkpoint: &Checkpoint) -> bool {
    let pointer = &checkpoint.pointer;
    !pointer.deleting && !matches!(pointer.defect, Some(Defect::Unreadable(_)))
}

/// What is wrong with the value of a pointer, or with its file.
fn fault(pointer: &Pointer) -> Option<(ProblemKind, String)> {
    let path = || {
        let path = pointer.handle.as_ref().and_then(|it| it.path.as_deref());
        path.unwrap_or_default()
    };
    match (&pointer.defect, &pointer.file) {
        (Some(Defect::Unreadable(why)), _) => Some((ProblemKind::Unreadable, why.clone())),
        (Some(Defect::WrongClass(why)), _) => Some((ProblemKind::WrongClass, why.clone())),
        (None, Some(FileState::Missing)) => Some((
            ProblemKind::File,
            format!("its file is missing: {}", path()),
        )),
        (None, Some(FileState::WrongSize { size })) => {
            let expected = pointer.handle.as_ref().and_then(|handle| handle.size);
            let expected = expected.unwrap_or_default();
            let path = path();
            let reason = format!("its file has {size} bytes instead of {expected}: {path}");
            Some((ProblemKind::File, reason))
        }
        (None, Some(FileState::Whole | FileState::NotLookedAt { .. }) | None) => None,
    }
}

fn counter(id: &str, job: &FlinkJob) -> Option<Problem> {
    let newest = job.checkpoints.iter().map(|checkpoint| checkpoint.id);
    let newest = newest.max()?;
    match (job.counter, &job.counter_key) {
        (Some(counter), _) if counter > newest => None,
        (Some(counter), _) => Some(damage::counter_behind(id, Some(counter), newest)),
        // The entry is unreadable, which is a problem of its own.
        (None, Some(_)) => None,
        (None, None) => Some(damage::counter_behind(id, None, newest)),
    }
}
