//! What is left of jobs that have ended, and what is broken of those that have not.

use super::finding::{Change, Finding, FindingKind};
use crate::data::Contents;
use crate::model::{Checkpoint, Defect, FileState, FlinkJob, Pointer, ProblemKind};

/// Jobs of which checkpoints or a counter are stored, and no plan.
pub(super) fn orphans(contents: &Contents, led: bool) -> Vec<Finding> {
    let jobs = contents.cluster.jobs.iter();
    let ended = jobs.filter(|(_, job)| job.plan.is_none());
    let ended = ended.map(|(id, job)| {
        let runs = led && contents.cluster.leaders.contains_key(&format!("job-{id}"));
        let mut keys = contents.keys_of_job(id);
        if keys.is_empty() {
            // A directory, or a ConfigMap without data.
            keys.push(id.clone());
        }
        let files = job.checkpoints.iter().filter_map(|it| path(&it.pointer));
        Finding {
            kind: FindingKind::EndedJob,
            keys,
            files: files.collect(),
            why: format!("no execution plan and no job graph is stored of the job {id}"),
            follows: "Nothing changes: Flink starts no such job. If its plan was lost, these are \
                      the last pointers to its checkpoints; their files can still be given to a \
                      new job as a savepoint."
                .into(),
            kept: runs.then(|| "the job has a leader now".into()),
            needs_stop: false,
            changes: vec![Change::Job(id.clone())],
        }
    });
    ended.collect()
}

/// Pointers of stored jobs and applications that Flink passes over, or fails on.
pub(super) fn damaged(contents: &Contents) -> Vec<Finding> {
    let mut found = Vec::new();
    for pointer in contents.cluster.applications.values() {
        found.extend(plan(pointer, "application"));
    }
    for job in contents.cluster.jobs.values() {
        let Some(of_plan) = &job.plan else { continue };
        found.extend(plan(of_plan, "job"));
        let checkpoints = job.checkpoints.iter();
        found.extend(checkpoints.filter_map(|it| checkpoint(job, it)));
    }
    found
}

/// A pointer to a job or an application. Without it, Flink forgets that one.
fn plan(pointer: &Pointer, what: &str) -> Option<Finding> {
    let (kind, why) = fault(pointer)?;
    Some(Finding {
        kind,
        keys: vec![pointer.key.clone()],
        files: path(pointer).into_iter().collect(),
        why,
        follows: format!("Flink forgets this {what}: it has to be submitted again."),
        kept: Some(by_name(&pointer.key)),
        needs_stop: true,
        changes: vec![Change::Entry(pointer.key.clone())],
    })
}

fn checkpoint(job: &FlinkJob, damaged: &Checkpoint) -> Option<Finding> {
    let (kind, why) = fault(&damaged.pointer)?;
    let restores = newest_sound(job);
    // If a newer one is sound, the job goes on from that one, with or without this entry.
    let superseded = restores.is_some_and(|newest| newest > damaged.id);
    let follows = match restores {
        _ if superseded => format!(
            "The job goes on from checkpoint {}, as before.",
            restores.unwrap_or_default()
        ),
        Some(older) => format!("The job goes back to checkpoint {older}, which is older."),
        None => "No other checkpoint is stored: the job starts without any state.".into(),
    };
    let key = &damaged.pointer.key;
    Some(Finding {
        kind,
        keys: vec![key.clone()],
        files: path(&damaged.pointer).into_iter().collect(),
        why,
        follows,
        kept: (!superseded).then(|| by_name(key)),
        needs_stop: true,
        changes: vec![Change::Entry(key.clone())],
    })
}

/// The newest checkpoint with nothing wrong that is known.
fn newest_sound(job: &FlinkJob) -> Option<u64> {
    let sound = job.checkpoints.iter();
    let sound = sound.filter(|checkpoint| fault(&checkpoint.pointer).is_none());
    sound.map(|checkpoint| checkpoint.id).max()
}

fn by_name(key: &str) -> String {
    format!("it goes only by name: --remove {key}")
}

fn fault(pointer: &Pointer) -> Option<(FindingKind, String)> {
    if pointer.deleting {
        let why = "its removal has begun, and Flink passes over it".to_owned();
        return Some((FindingKind::Deleting, why));
    }
    match (&pointer.defect, &pointer.file) {
        (Some(Defect::Unreadable(why)), _) => Some((FindingKind::Unreadable, why.clone())),
        (Some(Defect::WrongClass(why)), _) => Some((FindingKind::Broken, why.clone())),
        (None, Some(FileState::Missing)) => {
            let path = path(pointer).unwrap_or_default();
            let why = format!("its file is gone: {path}");
            Some((FindingKind::Broken, why))
        }
        (None, Some(FileState::WrongSize { size })) => {
            let why = format!("its file has {size} bytes, and not those that it was stored with");
            Some((FindingKind::Broken, why))
        }
        (None, Some(FileState::Whole | FileState::NotLookedAt { .. }) | None) => None,
    }
}

fn path(pointer: &Pointer) -> Option<String> {
    pointer.handle.as_ref()?.path.clone()
}

/// Sound checkpoints older than the newest so many sound ones.
pub(super) fn superseded(contents: &Contents, retain: Option<usize>) -> Vec<Finding> {
    let Some(retain) = retain else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for job in contents
        .cluster
        .jobs
        .values()
        .filter(|job| job.plan.is_some())
    {
        let mut sound: Vec<_> = job.checkpoints.iter().collect();
        sound.retain(|checkpoint| fault(&checkpoint.pointer).is_none());
        sound.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.id));
        let newest = sound.first().map_or(0, |checkpoint| checkpoint.id);
        for old in sound.iter().skip(retain.max(1)) {
            let key = old.pointer.key.clone();
            found.push(Finding {
                kind: FindingKind::Superseded,
                keys: vec![key.clone()],
                files: path(&old.pointer).into_iter().collect(),
                why: format!("checkpoint {newest} is newer, and {retain} of them stay"),
                follows: "Flink removes neither its file nor its state any more: that is left to \
                          you."
                    .into(),
                kept: None,
                needs_stop: true,
                changes: vec![Change::Entry(key)],
            });
        }
    }
    found
}

/// Counters that are behind, gone or unreadable.
pub(super) fn counters(contents: &Contents) -> Vec<Finding> {
    let behind = contents.cluster.problems.iter();
    let behind = behind.filter(|problem| problem.kind == ProblemKind::CounterBehind);
    let behind = behind.map(|problem| (problem.key.clone(), problem.reason.clone()));
    let unreadable = contents.cluster.jobs.iter().filter_map(|(id, job)| {
        let gone = job.counter_key.is_some() && job.counter.is_none();
        gone.then(|| (id.clone(), "the counter is not readable".to_owned()))
    });
    let found = behind.chain(unreadable).filter_map(|(id, why)| {
        let job = contents.cluster.jobs.get(&id)?;
        job.plan.as_ref()?;
        let newest = newest(contents, &id).unwrap_or(0);
        Some(counter(contents, &id, newest + 1, why))
    });
    found.collect()
}

/// The highest id of a checkpoint of this job, sound or not.
pub(super) fn newest(contents: &Contents, job: &str) -> Option<u64> {
    let checkpoints = contents.cluster.jobs.get(job)?.checkpoints.iter();
    checkpoints.map(|checkpoint| checkpoint.id).max()
}

pub(super) fn counter(contents: &Contents, job: &str, next: u64, why: String) -> Finding {
    let key = contents.cluster.jobs.get(job);
    let key = key.and_then(|job| job.counter_key.clone());
    Finding {
        kind: FindingKind::Counter,
        keys: vec![key.unwrap_or_else(|| format!("the counter of {job}"))],
        files: Vec::new(),
        why,
        follows: format!("It is set to {next}: the next checkpoint has this number."),
        kept: None,
        needs_stop: true,
        changes: vec![Change::Counter {
            job: job.to_owned(),
            next,
        }],
    }
}
