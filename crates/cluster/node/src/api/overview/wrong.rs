//! What is wrong now, in words. Pure: the present moment is an argument.

use std::time::{Duration, SystemTime};

use incumbent_cluster_core::view::{
    ClusterView, JobView, NodeKind, NodeView, NodeViewState, TaskViewState,
};
use incumbent_cluster_core::{CauseKind, JobState};

use super::rows;
use super::types::{About, Severity, Wrong};
use crate::api::words::duration;

/// Most things that are named; the others are counted.
pub const MOST_WRONG: usize = 20;

/// A job that failed is news for so long. It stays in the list of jobs.
const NEWS: Duration = Duration::from_secs(24 * 3600);

/// A job may wait so long for its slots before that is worth a word.
const WAITING: Duration = Duration::from_secs(10);

/// For so long after its term began, a leader may not have heard of nodes that are well: as long as
/// a TaskManager is silent before that counts.
const BEGUN: Duration = Duration::from_secs(10);

/// Everything that is wrong, errors first, otherwise what is about nodes first.
pub(super) fn wrong(cluster: &ClusterView, jobs: &[JobView], now: SystemTime) -> Vec<Wrong> {
    let has_just_begun = is_younger(&cluster.leader.since, BEGUN, now);
    let mut found = match has_just_begun {
        true => not_heard_yet(cluster, jobs).into_iter().collect(),
        false => of_nodes(&cluster.nodes),
    };
    found.extend(cluster.damaged.iter().map(|damaged| Wrong {
        severity: Severity::Error,
        text: format!(
            "The record of job {} cannot be read: {}. Its tasks are left alone.",
            damaged.id, damaged.why
        ),
        about: Some(about(
            "record",
            &format!("jobs/{}", damaged.id),
            &format!("jobs/{}", damaged.id),
        )),
    }));
    // Nobody is silent who had no time to speak.
    let is_known = |job: &&JobView| !(has_just_begun && job.state == JobState::Running);
    found.extend(
        jobs.iter()
            .filter(is_known)
            .filter_map(|job| of_job(job, now)),
    );
    found.sort_by_key(|wrong| wrong.severity);
    found
}

/// What a leader that has just begun cannot know: whether nodes that it has not heard of are gone.
fn not_heard_yet(cluster: &ClusterView, jobs: &[JobView]) -> Option<Wrong> {
    let mut tasks = jobs.iter().flat_map(|job| &job.tasks);
    let is_unknown = tasks.any(|task| task.state == TaskViewState::Unknown);
    let is_missed = is_unknown || !cluster.is_complete || !of_nodes(&cluster.nodes).is_empty();
    is_missed.then(|| {
        general(
            "The leader has just begun: other nodes report to it within seconds. Tasks go on meanwhile.",
        )
    })
}

fn of_nodes(nodes: &[NodeView]) -> Vec<Wrong> {
    let mut found = Vec::new();
    let of = |kind| nodes.iter().filter(move |node| node.kind == kind);
    let is_there = |node: &&NodeView| node.state != NodeViewState::Dead;
    if of(NodeKind::TaskManager).filter(is_there).count() == 0 {
        found.push(general(
            "There is no TaskManager, so no job runs: start one with `incumbent task-manager`.",
        ));
    }
    for node in of(NodeKind::TaskManager).filter(|node| node.state == NodeViewState::Silent) {
        let since = duration(Duration::from_millis(node.silent_ms));
        found.push(Wrong {
            severity: Severity::Warning,
            text: format!(
                "TaskManager {} has said nothing for {since}. Its tasks may go on.",
                node.name
            ),
            about: Some(about("node", &node.nonce, &node.name)),
        });
    }
    if of(NodeKind::JobManager).count() == 1 {
        found.push(general("No other JobManager stands by: if the leader dies, nobody leads until it is started again."));
    }
    found
}

/// Whether the cluster did not take this job, as its name is another one's, for example. Who
/// submitted it was told, and nothing of it ran: nothing is wrong.
pub(super) fn was_refused(job: &JobView) -> bool {
    let kind = job.cause.as_ref().map(|cause| cause.kind);
    job.state == JobState::Failed && job.attempt == 0 && kind == Some(CauseKind::Refused)
}

fn of_job(job: &JobView, now: SystemTime) -> Option<Wrong> {
    if was_refused(job) {
        return None;
    }
    let name = &job.name;
    let why = rows::why(job).map(|why| format!(": {}", why.trim_end_matches('.')));
    let why = why.unwrap_or_default();
    let (severity, text) = match job.state {
        JobState::Failed if !is_older(job.ended_at.as_deref(), NEWS, now) => {
            (Severity::Error, format!("Job {name} has failed{why}."))
        }
        JobState::Restarting => (
            Severity::Warning,
            format!("Job {name} is being restarted{why}."),
        ),
        JobState::Waiting if is_older(Some(&job.submitted_at), WAITING, now) => (
            Severity::Warning,
            format!("Job {name} does not run yet{why}."),
        ),
        JobState::Running => {
            let unknown = job
                .tasks
                .iter()
                .filter(|task| task.state == TaskViewState::Unknown);
            match unknown.count() {
                0 => return None,
                unknown => (
                    Severity::Warning,
                    format!(
                        "Of {unknown} of {} tasks of job {name} nothing is heard: their TaskManager is silent.",
                        job.tasks.len()
                    ),
                ),
            }
        }
        JobState::Failed
        | JobState::Waiting
        | JobState::Stopping
        | JobState::Suspended
        | JobState::Finished
        | JobState::Canceled => return None,
    };
    Some(Wrong {
        severity,
        text,
        about: Some(about("job", &job.id, name)),
    })
}

/// Whether a moment is longer ago. One that cannot be read is not.
fn is_older(at: Option<&str>, than: Duration, now: SystemTime) -> bool {
    let at = at.and_then(|at| humantime::parse_rfc3339(at).ok());
    at.and_then(|at| now.duration_since(at).ok())
        .is_some_and(|age| age > than)
}

/// Whether a moment is at most so long ago; false if it cannot be read.
fn is_younger(at: &str, than: Duration, now: SystemTime) -> bool {
    let at = humantime::parse_rfc3339(at).ok();
    at.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age <= than))
}

fn general(text: &str) -> Wrong {
    Wrong {
        severity: Severity::Warning,
        text: text.to_owned(),
        about: None,
    }
}

fn about(kind: &str, id: &str, name: &str) -> About {
    About {
        kind: kind.to_owned(),
        id: id.to_owned(),
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use incumbent_cluster_core::view::DamagedJobView;

    use super::super::look::Look;
    use super::super::tests::{cluster, job, node};
    use super::*;

    fn now() -> SystemTime {
        humantime::parse_rfc3339("2026-01-03T00:00:00Z").unwrap()
    }

    fn texts(cluster: &ClusterView, jobs: &[JobView]) -> Vec<String> {
        wrong(cluster, jobs, now())
            .into_iter()
            .map(|wrong| wrong.text)
            .collect()
    }

    #[test]
    fn a_cluster_that_is_well_has_nothing_wrong() {
        let jobs = [
            job("a", JobState::Running, ""),
            job("b", JobState::Finished, ""),
        ];
        assert!(texts(&cluster(), &jobs).is_empty());
        let waits = job("new", JobState::Waiting, "2026-01-02T23:59:55Z");
        assert!(
            texts(&cluster(), &[waits]).is_empty(),
            "it waits for a moment only"
        );
    }

    #[test]
    fn a_leader_that_has_just_begun_calls_nobody_missing() {
        let mut new = cluster();
        new.leader.since = "2026-01-02T23:59:58Z".into();
        assert!(texts(&new, &[]).is_empty(), "all have reported");
        new.nodes.retain(|node| node.kind != NodeKind::TaskManager);
        let told = texts(&new, &[job("a", JobState::Running, "")]);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("The leader has just begun"), "{told:?}");
        new.leader.since = "2026-01-02T23:59:00Z".into();
        assert!(texts(&new, &[])[0].starts_with("There is no TaskManager"));
    }

    #[test]
    fn a_job_that_was_refused_has_not_failed() {
        let mut refused = job("count", JobState::Failed, "");
        refused.ended_at = Some("2026-01-02T23:59:55Z".into());
        refused.attempt = 0;
        let cause = serde_json::json!({ "kind": "refused", "message": "the name is taken" });
        refused.cause = Some(serde_json::from_value(cause).unwrap());
        assert!(was_refused(&refused));
        let mut failed = refused.clone();
        failed.attempt = 1;
        let look = Look {
            cluster: cluster(),
            jobs: vec![refused, failed],
        };
        let overview = look.overview(now());
        assert_eq!((overview.jobs.failed, overview.wrong.len()), (1, 1));
    }

    #[test]
    fn errors_come_first_and_say_why() {
        let mut well = cluster();
        well.nodes.retain(|node| node.name != "standby");
        well.nodes
            .push(node("tm-2", NodeKind::TaskManager, NodeViewState::Silent));
        let mut failed = job("pay", JobState::Failed, "");
        failed.ended_at = Some("2026-01-02T20:00:00Z".into());
        failed.why = vec!["rank 0 exited with 3.".into()];
        let mut old = failed.clone();
        old.ended_at = Some("2026-01-01T20:00:00Z".into());
        let mut waits = job("big", JobState::Waiting, "2026-01-01T00:00:00Z");
        waits.why = vec!["it needs 8 slots, and 2 are free".into()];
        well.damaged.push(DamagedJobView {
            id: "d".repeat(32),
            why: "it is no JSON".into(),
        });
        let told = texts(&well, &[waits, old, failed]);
        assert!(told[0].starts_with("The record of job dddd"), "{told:?}");
        assert_eq!(told[1], "Job pay has failed: rank 0 exited with 3.");
        assert!(
            told[2].starts_with("TaskManager tm-2 has said nothing for"),
            "{told:?}"
        );
        assert!(told[3].starts_with("No other JobManager"), "{told:?}");
        assert_eq!(
            told[4],
            "Job big does not run yet: it needs 8 slots, and 2 are free."
        );
        assert_eq!(told.len(), 5);
    }
}
