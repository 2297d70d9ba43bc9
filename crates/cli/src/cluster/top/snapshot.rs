//! What one look at a cluster finds: [`Snapshot`].

use std::collections::BTreeMap;

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::{ClusterView, JobView, NodeKind, NodeView, NodeViewState};
use serde::{Deserialize, Serialize};

use crate::cluster::client::{Ask, Client, ClientError};
use crate::cluster::job::describe::{short_state, why_line};

/// Most jobs that are shown, the newest: more than anybody looks through, in a few megabytes.
pub(super) const MOST_JOBS: usize = 2000;

/// Most faults that are named.
const MOST_FAULTS: usize = 3;

/// A cluster and its jobs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) cluster: ClusterView,
    /// The newest first.
    pub(super) jobs: Vec<JobView>,
    /// Whether these are all.
    pub(super) has_all_jobs: bool,
}

#[derive(Deserialize)]
struct Page {
    jobs: Vec<JobView>,
    next: Option<String>,
}

/// Asks for one. Waits while nobody leads, as long as a node holds a request.
///
/// # Errors
///
/// See [`ClientError`].
pub(super) async fn take(client: &Client) -> Result<Snapshot, ClientError> {
    let cluster = client.json(&Ask::get("/v1/cluster")).await?;
    let page: Page = client
        .json(&Ask::get(format!("/v1/jobs?limit={MOST_JOBS}")))
        .await?;
    Ok(Snapshot {
        cluster,
        jobs: page.jobs,
        has_all_jobs: page.next.is_none(),
    })
}

impl Snapshot {
    /// How many jobs are in which state, as in `2 running, 1 waiting`.
    pub(super) fn jobs_by_state(&self) -> String {
        let mut counts: BTreeMap<u8, (&str, usize)> = BTreeMap::new();
        for job in &self.jobs {
            let of = counts.entry(rank_of(job.state));
            of.or_insert((short_state(job), 0)).1 += 1;
        }
        let counts: Vec<_> = counts
            .values()
            .map(|(state, n)| format!("{n} {state}"))
            .collect();
        let more = if self.has_all_jobs {
            ""
        } else {
            " of the newest"
        };
        match counts.is_empty() {
            true => "no jobs".into(),
            false => format!("jobs: {}{more}", counts.join(", ")),
        }
    }

    /// How many nodes there are, and slots.
    pub(super) fn nodes(&self) -> String {
        let alive = |kind| {
            let nodes = self.cluster.nodes.iter();
            nodes
                .filter(|node| node.kind == kind && node.state != NodeViewState::Dead)
                .count()
        };
        let taken = self.cluster.slots.saturating_sub(self.cluster.slots_free);
        format!(
            "{}, {}, {taken} of {} slots taken",
            counted(alive(NodeKind::JobManager), "JobManager"),
            counted(alive(NodeKind::TaskManager), "TaskManager"),
            self.cluster.slots
        )
    }

    /// The addresses of nodes that live. JobManagers come first: they know the leader first.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &str> {
        let of = |kind| {
            let nodes = self.cluster.nodes.iter();
            let lives =
                move |node: &&NodeView| node.kind == kind && node.state == NodeViewState::Live;
            nodes.filter(lives).map(|node| &node.address[..])
        };
        of(NodeKind::JobManager).chain(of(NodeKind::TaskManager))
    }

    /// What is wrong now, in words.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for node in &self.cluster.nodes {
            if node.state == NodeViewState::Silent {
                let seconds = node.silent_ms / 1000;
                faults.push(format!("{} is silent since {seconds} s", node.name));
            }
        }
        let refused = self.cluster.refused.iter();
        faults.extend(refused.map(|node| format!("{} gets no tasks: {}", node.name, node.why)));
        let damaged = self.cluster.damaged.iter();
        faults.extend(
            damaged.map(|job| format!("the record of job {} is damaged: {}", job.id, job.why)),
        );
        for job in &self.jobs {
            let what = match job.state {
                JobState::Restarting => "restarts",
                JobState::Waiting => "waits",
                _ => continue,
            };
            faults.push(match why_line(job) {
                Some(why) => format!("{} {what}: {why}", job.name),
                None => format!("{} {what}", job.name),
            });
        }
        let more = faults.len().saturating_sub(MOST_FAULTS);
        faults.truncate(MOST_FAULTS);
        if let (true, Some(last)) = (more > 0, faults.last_mut()) {
            last.push_str(&format!("; and {more} more"));
        }
        faults
    }
}

/// What needs a person comes first.
pub(super) fn rank_of(state: JobState) -> u8 {
    match state {
        JobState::Restarting => 0,
        JobState::Waiting => 1,
        JobState::Stopping => 2,
        JobState::Running => 3,
        JobState::Suspended => 4,
        JobState::Failed => 5,
        JobState::Canceled => 6,
        JobState::Finished => 7,
    }
}

pub(super) fn counted(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A cluster with two JobManagers, a TaskManager and a silent one.
    pub(in super::super) fn cluster() -> Value {
        let node = |kind: &str, n: u32, state: &str| {
            json!({ "kind": kind, "name": format!("{kind}-{n}"), "nonce": "0".repeat(32), "pid": 100 + n,
                "address": format!("127.0.0.1:900{n}"), "slots": 2, "slots_free": 1, "state": state, "silent_ms": 12_000 })
        };
        json!({
            "id": "c".repeat(32), "epoch": 7, "slots": 4, "slots_free": 2, "is_complete": true,
            "leader": { "name": "jm-a", "pid": 101, "address": "127.0.0.1:9001", "since": "2026-01-01T00:00:00Z" },
            "nodes": [node("job-manager", 1, "live"), node("job-manager", 2, "live"),
                node("task-manager", 3, "live"), node("task-manager", 4, "silent")],
        })
    }

    pub(in super::super) fn job(name: &str, state: &str, tasks: u32) -> Value {
        let task = |rank: u32| {
            json!({ "rank": rank, "state": "running", "node": "task-manager-3", "pid": 200 + rank,
                "since": "2026-01-01T00:00:00Z", "address": null, "progress": "line 7" })
        };
        let id = format!(
            "{:032x}",
            name.bytes()
                .fold(7_u128, |all, byte| all * 257 + u128::from(byte))
        );
        json!({
            "id": id, "name": name, "state": state, "attempt": 2, "epoch": 7, "restarts": 1,
            "tasks": (0..tasks).map(task).collect::<Vec<_>>(), "checkpoint": null, "cause": null,
            "desired": "running", "submitted_at": "2026-01-01T00:00:00Z", "ended_at": null,
            "incarnation": "0".repeat(16),
        })
    }

    pub(in super::super) fn snapshot(jobs: Vec<Value>) -> Snapshot {
        let value = json!({ "cluster": cluster(), "jobs": jobs, "has_all_jobs": true });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn it_is_told_in_a_few_words() {
        let mut waiting = job("more", "waiting", 0);
        waiting["why"] = json!(["it needs 9 slots"]);
        let told = snapshot(vec![
            job("hello", "running", 2),
            waiting,
            job("old", "finished", 0),
        ]);
        assert_eq!(
            told.jobs_by_state(),
            "jobs: 1 waiting, 1 running, 1 finished"
        );
        assert_eq!(
            told.nodes(),
            "2 JobManagers, 2 TaskManagers, 2 of 4 slots taken"
        );
        let faults = [
            "task-manager-4 is silent since 12 s",
            "more waits: it needs 9 slots",
        ];
        assert_eq!(told.faults(), faults);
    }

    #[test]
    fn nodes_that_live_are_named_and_job_managers_come_first() {
        let told = snapshot(Vec::new());
        let addresses: Vec<_> = told.addresses().collect();
        assert_eq!(
            addresses,
            ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"]
        );
    }

    #[test]
    fn many_faults_are_counted() {
        let jobs = (0..100).map(|n| job(&format!("j{n}"), "restarting", 1));
        let faults = snapshot(jobs.collect()).faults();
        assert_eq!(faults.len(), MOST_FAULTS);
        assert_eq!(faults[2], "j1 restarts; and 98 more");
    }
}
