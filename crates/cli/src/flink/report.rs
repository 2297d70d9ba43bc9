//! What `incumbent flink inspect` prints for people. Pure: text from a cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use incumbent_flink_ha::{
    ClusterSummary, Election, FileCheck, FileState, FlinkCluster, FlinkJob, Pointer, Problem,
    Renewal, Severity, StateHandle,
};

use crate::show::{escape::printable, table};

/// Longest line of running text.
const WIDTH: usize = 100;

/// The components that every cluster has.
const COMPONENTS: [&str; 3] = ["dispatcher", "resourcemanager", "restserver"];

/// All of a cluster. Only problems have colours.
pub(super) fn cluster(cluster: &FlinkCluster) -> String {
    let mut parts = vec![
        printable(&cluster.source).into_owned(),
        elections(cluster),
        leaders(cluster),
    ];
    parts.extend(applications(cluster));
    parts.push(jobs(cluster));
    parts.extend(pointers(cluster));
    parts.extend(cluster.files.as_ref().map(|check| files(cluster, check)));
    parts.push(problems(&cluster.problems));
    parts.join("\n\n")
}

/// A list of clusters.
pub(super) fn clusters(found: &[ClusterSummary]) -> String {
    let rows = found.iter().map(|cluster| {
        vec![
            cluster.address.clone(),
            cluster
                .rest_server
                .clone()
                .unwrap_or_else(|| "nobody".into()),
            cluster.jobs.to_string(),
        ]
    });
    table(&["CLUSTER", "REST SERVER", "JOBS"], rows.collect())
}

/// What a search that ended early says besides the list.
pub(super) fn unsearched(searched: usize) -> String {
    format!(
        "the search ended after {searched} nodes, and there are more; name the path that is \
         Flink's high-availability.zookeeper.path.root, as in zookeeper://host:2181/flink"
    )
}

fn elections(cluster: &FlinkCluster) -> String {
    if cluster.elections.is_empty() {
        return "no election".into();
    }
    let rows = cluster.elections.iter().map(|election| {
        let waiting = election.waiting.as_ref();
        vec![
            election.key.clone(),
            election.holder.clone().unwrap_or_else(|| "nobody".into()),
            lock(election),
            // On Kubernetes those who wait leave no trace.
            waiting.map_or("not visible".into(), |waiting| waiting.len().to_string()),
        ]
    });
    table(&["ELECTION", "HOLDER", "LOCK", "WAITING"], rows.collect())
}

fn lock(election: &Election) -> String {
    if let Some(owner) = &election.owner {
        return format!("session {owner}");
    }
    let Some(lock) = &election.lock else {
        return none();
    };
    let lease = lock.lease().map_or_else(
        || lock.lease_duration.clone().unwrap_or_else(none),
        in_words,
    );
    match election.renewal {
        Some(Renewal::Renewed { ago }) => format!("renewed {} ago, lease {lease}", in_words(ago)),
        Some(Renewal::Silent { watched }) => {
            format!("not renewed for {}, lease {lease}", in_words(watched))
        }
        None => format!("not watched, lease {lease}"),
    }
}

fn leaders(cluster: &FlinkCluster) -> String {
    let missing = COMPONENTS.into_iter();
    let missing = missing.filter(|name| !cluster.leaders.contains_key(*name));
    let missing = missing.map(|name| vec![name.to_owned(), none(), "nobody".into()]);
    let present = cluster.leaders.iter().map(|(component, entry)| {
        vec![
            component.clone(),
            entry.leader.session.to_string(),
            entry.leader.address.clone(),
        ]
    });
    let mut rows: Vec<_> = present.chain(missing).collect();
    // The jobs last.
    rows.sort_by_key(|row| (row[0].starts_with("job-"), row[0].clone()));
    table(&["COMPONENT", "SESSION ID", "ADDRESS"], rows)
}

fn applications(cluster: &FlinkCluster) -> Option<String> {
    let rows = cluster.applications.iter().map(|(id, pointer)| {
        let [size, to, note] = target(pointer);
        vec![id.clone(), size, to, note]
    });
    let rows: Vec<_> = rows.collect();
    let columns = ["APPLICATION", "SIZE", "TO", "NOTE"];
    (!rows.is_empty()).then(|| table(&columns, rows))
}

fn jobs(cluster: &FlinkCluster) -> String {
    if cluster.jobs.is_empty() {
        return "no jobs".into();
    }
    let rows = cluster.jobs.iter().map(|(id, job)| {
        let ids = job.checkpoints.iter().map(|checkpoint| checkpoint.id);
        let newest = ids.max().map_or_else(none, |id| id.to_string());
        let plan = if job.plan.is_some() {
            "stored"
        } else {
            "missing"
        };
        vec![
            id.clone(),
            plan.into(),
            job.checkpoints.len().to_string(),
            newest,
            job.counter.map_or_else(none, |counter| counter.to_string()),
        ]
    });
    table(
        &["JOB", "PLAN", "CHECKPOINTS", "NEWEST", "NEXT"],
        rows.collect(),
    )
}

fn pointers(cluster: &FlinkCluster) -> Option<String> {
    let rows: Vec<_> = cluster.jobs.iter().flat_map(pointers_of).collect();
    let columns = ["JOB", "POINTER", "SIZE", "TO", "NOTE"];
    (!rows.is_empty()).then(|| table(&columns, rows))
}

fn pointers_of((id, job): (&String, &FlinkJob)) -> Vec<Vec<String>> {
    let plan = job.plan.iter().map(|pointer| ("plan".to_owned(), pointer));
    let checkpoints = job.checkpoints.iter();
    let checkpoints = checkpoints.map(|found| (format!("checkpoint {}", found.id), &found.pointer));
    let rows = plan.chain(checkpoints).map(|(what, pointer)| {
        let [size, to, note] = target(pointer);
        vec![id.clone(), what, size, to, note]
    });
    rows.collect()
}

/// The size of what a pointer points to, where that is, and a note.
fn target(pointer: &Pointer) -> [String; 3] {
    let (size, to) = match &pointer.handle {
        None => (none(), "unreadable".into()),
        Some(handle) => (
            handle.size.map_or_else(none, |size| size.to_string()),
            location(handle),
        ),
    };
    let mut notes = Vec::new();
    if pointer.deleting {
        notes.push("being deleted".to_owned());
    }
    match pointer.locks.len() {
        0 => {}
        1 => notes.push("1 lock".into()),
        count => notes.push(format!("{count} locks")),
    }
    match &pointer.file {
        None => {}
        Some(FileState::Whole) => notes.push("file is there".into()),
        Some(FileState::Missing) => notes.push("file is MISSING".into()),
        Some(FileState::WrongSize { size }) => notes.push(format!("file has {size} BYTES")),
        Some(FileState::NotLookedAt { .. }) => notes.push("file not looked at".into()),
    }
    let note = if notes.is_empty() {
        none()
    } else {
        notes.join(", ")
    };
    [size, to, note]
}

/// The file; else the kind of handle.
fn location(handle: &StateHandle) -> String {
    let class = handle.class.rsplit('.').next().unwrap_or_default();
    match &handle.path {
        Some(path) if path.contains(":/") => path.clone(),
        Some(name) => format!("{class} {name:?}"),
        None => class.to_owned(),
    }
}

fn files(cluster: &FlinkCluster, check: &FileCheck) -> String {
    let FileCheck {
        looked_at,
        damaged,
        not_looked_at,
    } = *check;
    let mut lines = vec![format!(
        "files: {looked_at} looked at, {damaged} of them missing or of the wrong size"
    )];
    if damaged > 0 && damaged == looked_at {
        lines.push("None is whole. Is Flink's high-availability.storageDir mounted here?".into());
    }
    let reasons: BTreeSet<_> = every_pointer(cluster)
        .filter_map(|pointer| match &pointer.file {
            Some(FileState::NotLookedAt { why }) => Some(printable(why).into_owned()),
            _ => None,
        })
        .collect();
    if not_looked_at > 0 {
        let reasons: Vec<_> = reasons.into_iter().collect();
        lines.push(format!(
            "{not_looked_at} not looked at: {}",
            reasons.join("; ")
        ));
    }
    lines.join("\n")
}

fn every_pointer(cluster: &FlinkCluster) -> impl Iterator<Item = &Pointer> {
    let of_jobs = cluster.jobs.values().flat_map(|job| {
        let checkpoints = job.checkpoints.iter();
        let checkpoints = checkpoints.map(|checkpoint| &checkpoint.pointer);
        job.plan.iter().chain(checkpoints)
    });
    cluster.applications.values().chain(of_jobs)
}

fn problems(problems: &[Problem]) -> String {
    if problems.is_empty() {
        return "no problems".into();
    }
    let counts = [Severity::Critical, Severity::Warning, Severity::Note].map(|severity| {
        let count = problems.iter().filter(|it| it.severity == severity).count();
        (severity, count)
    });
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let counts = counts.map(|(severity, count)| match (severity, count) {
        (Severity::Critical, count) => format!("{count} critical"),
        (Severity::Warning, 1) => "1 warning".into(),
        (Severity::Warning, count) => format!("{count} warnings"),
        (Severity::Note, 1) => "1 note".into(),
        (Severity::Note, count) => format!("{count} notes"),
    });
    let counts: Vec<_> = counts.collect();
    let total = match problems.len() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    let mut parts = vec![format!("{total}: {}", counts.join(", "))];
    parts.extend(problems.iter().map(problem));
    parts.join("\n\n")
}

fn problem(problem: &Problem) -> String {
    let (word, style) = match problem.severity {
        Severity::Critical => ("CRITICAL", AnsiColor::Red.on_default().bold()),
        Severity::Warning => ("WARNING", AnsiColor::Yellow.on_default()),
        Severity::Note => ("NOTE", Style::new()),
    };
    let key = printable(&problem.key);
    let reason = wrapped(&printable(&problem.reason));
    let follows = wrapped(&printable(&problem.follows));
    format!(
        "{style}{word}{style:#} {}: {key}\n{reason}\n{follows}",
        problem.kind.name()
    )
}

/// The text as indented lines. A word that is longer than a line has one of its own.
pub(super) fn wrapped(text: &str) -> String {
    const INDENT: &str = "  ";
    let mut lines = vec![INDENT.to_owned()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        if line.len() > INDENT.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("{INDENT}{word}"));
        } else {
            if line.len() > INDENT.len() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// In whole tenths of seconds.
fn in_words(duration: Duration) -> String {
    let tenths = duration.as_millis() / 100;
    if tenths.is_multiple_of(10) {
        format!("{} s", tenths / 10)
    } else {
        format!("{}.{} s", tenths / 10, tenths % 10)
    }
}

fn none() -> String {
    "-".into()
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
