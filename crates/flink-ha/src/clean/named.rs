//! What a person has named: one entry, or one counter.

use super::CleanRequest;
use super::finding::{Change, Finding, FindingKind, file};
use super::jobs::{counter, newest};
use crate::data::{Contents, Item};

pub(super) fn findings(
    contents: &Contents,
    request: &CleanRequest,
) -> Result<Vec<Finding>, String> {
    let mut found = Vec::new();
    for key in &request.remove {
        found.push(entry(contents, key)?);
    }
    for (job, next) in &request.counters {
        found.push(set(contents, job, *next)?);
    }
    Ok(found)
}

fn entry(contents: &Contents, key: &str) -> Result<Finding, String> {
    let mut entries = contents.entries.iter();
    let item = entries
        .find(|(_, entry)| entry.key == key)
        .map(|(item, _)| item);
    let damaged = contents.damaged.iter().find(|noted| noted.key == key);
    let of_leader = contents.of_leaders.iter().find(|noted| noted.key == key);
    let why = match (item, damaged, of_leader) {
        (Some(item), ..) => format!("{} of {}, named by you", item.words(), item.owner()),
        (None, Some(damaged), _) => format!("named by you; {}", damaged.why),
        (None, None, Some(_)) => "an entry of a leader, named by you".into(),
        (None, None, None) if contents.unknown.iter().any(|unknown| unknown == key) => {
            "an entry that no known Flink writes, named by you".into()
        }
        (None, None, None) => {
            return Err(format!(
                "there is no entry {key}; `incumbent flink inspect` shows the keys, in JSON and \
                 with each problem"
            ));
        }
    };
    let follows = match item {
        Some(Item::Checkpoint { job, id }) => {
            let others = contents.cluster.jobs.get(job).into_iter();
            let others = others.flat_map(|job| &job.checkpoints);
            match others.map(|it| it.id).filter(|other| other != id).max() {
                Some(other) => format!("The job goes on from checkpoint {other}."),
                None => "The job starts without any state.".into(),
            }
        }
        Some(Item::Graph { .. } | Item::Plan { .. }) => {
            "Flink forgets this job: it has to be submitted again.".into()
        }
        Some(Item::Application { .. }) => {
            "Flink forgets this application: it has to be submitted again.".into()
        }
        Some(Item::Counter { .. }) => "Flink counts checkpoints from 1 again.".into(),
        None => "Flink does not find it any more.".to_owned(),
    };
    Ok(Finding {
        kind: FindingKind::Named,
        keys: vec![key.to_owned()],
        files: item
            .and_then(|item| file(contents, item))
            .into_iter()
            .collect(),
        why,
        follows,
        kept: None,
        needs_stop: true,
        changes: vec![Change::Entry(key.to_owned())],
    })
}

fn set(contents: &Contents, job: &str, next: u64) -> Result<Finding, String> {
    if !contents.cluster.jobs.contains_key(job) {
        return Err(format!("there is no job {job}"));
    }
    if let Some(newest) = newest(contents, job).filter(|newest| *newest >= next) {
        return Err(format!(
            "there is checkpoint {newest} of {job}, so its counter must be {} or more",
            newest + 1
        ));
    }
    if next == 0 {
        return Err("the first checkpoint has the number 1".into());
    }
    let why = match contents.cluster.jobs[job].counter {
        Some(now) => format!("the counter is {now}, and you set it"),
        None => "there is no readable counter, and you set it".into(),
    };
    Ok(counter(contents, job, next, why))
}
