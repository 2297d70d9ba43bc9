//! A cluster and a job of it in which much has happened.

use incumbent_cluster_core::record::EndedAttempt;
use incumbent_cluster_core::view::{
    AbortedCheckpointView, CheckpointView, CheckpointsView, ClusterView, JobView,
    PendingCheckpointView, SavepointView, TaskView, TaskViewState,
};
use incumbent_cluster_core::{Attempt, Cause, CauseKind, Desired, JobState, Rank};
use serde_json::json;

/// A moment after all that happens in it.
pub(super) const NOW: i64 = 1_767_229_200_000;

pub(super) const JOB: &str = "0123456789abcdef0123456789abcdef";
pub(super) const SAVEPOINT: &str = "fedcba9876543210fedcba9876543210";

fn checkpoint(number: u64, attempt: u32, savepoint: Option<&str>) -> CheckpointView {
    CheckpointView {
        number,
        attempt,
        tasks: 2,
        completed_at: "2026-01-01T00:00:10.500Z".into(),
        bytes: 4096 + number,
        took_ms: 25,
        savepoint: savepoint.map(str::to_owned),
    }
}

pub(super) fn failure() -> Cause {
    Cause {
        kind: CauseKind::TaskFailed,
        message: "rank 1 exited with 7".into(),
        rank: Some(Rank(1)),
        node: Some("tm-1".into()),
        exit_code: Some(7),
        signal: None,
        last_lines: vec!["<script>alert(1)</script>".into()],
    }
}

/// It runs in its second attempt, and checkpoints.
pub(super) fn job() -> JobView {
    let task = |rank| TaskView {
        rank,
        state: TaskViewState::Running,
        node: Some("tm-1".into()),
        pid: Some(100 + rank),
        since: Some("2026-01-01T00:00:05Z".into()),
        address: Some("127.0.0.1:7000".into()),
        progress: None,
    };
    let savepoint = checkpoint(6, 2, Some(SAVEPOINT));
    JobView {
        id: JOB.into(),
        name: "words".into(),
        state: JobState::Running,
        attempt: 2,
        epoch: 3,
        tasks: vec![task(0), task(1)],
        wanted_tasks: 2,
        checkpoint: Some(savepoint.clone()),
        checkpoints: Some(CheckpointsView {
            interval_ms: 1000,
            completed: vec![checkpoint(4, 1, None), savepoint.clone()],
            pending: Some(PendingCheckpointView {
                number: 7,
                for_ms: 3,
                missing: vec![1],
                savepoint: None,
            }),
            last_aborted: Some(AbortedCheckpointView {
                number: 5,
                at: "2026-01-01T00:00:08Z".into(),
                why: "rank 0 was late".into(),
                late: vec![0],
            }),
            aborted_in_row: 0,
            given_up: None,
            restored_from: None,
        }),
        savepoints: vec![SavepointView {
            id: SAVEPOINT.into(),
            job: JOB.into(),
            name: "words".into(),
            checkpoint: savepoint,
            has_job: true,
        }],
        restarts: 1,
        cause: None,
        desired: Desired::Running,
        intent: None,
        why: Vec::new(),
        submitted_at: "2026-01-01T00:00:00Z".into(),
        ended_at: None,
        incarnation: "0000000000000007".into(),
        attempts: vec![EndedAttempt {
            attempt: Attempt(1),
            ended_at: "2026-01-01T00:00:04Z".into(),
            cause: failure(),
        }],
        spec: serde_json::from_value(json!({
            "name": "words", "tasks": 2, "command": ["sh", "-c", "a <b> & c"], "checkpoints": {},
            "env": { "PASSWORD": "hidden" },
        }))
        .ok(),
    }
}

pub(super) fn cluster() -> ClusterView {
    let node = |name: &str, state: &str| {
        json!({
            "kind": "task-manager", "name": name, "nonce": format!("{:032x}", name.len()), "pid": 9,
            "address": "127.0.0.1:8090", "slots": 4, "slots_free": 2, "state": state, "silent_ms": 100,
        })
    };
    let cluster = json!({
        "id": "c".repeat(32), "epoch": 3, "slots": 4, "slots_free": 2, "is_complete": true,
        "leader": {
            "name": "jm-1", "pid": 8, "address": "127.0.0.1:8080", "since": "2026-01-01T00:00:00Z",
        },
        "nodes": [node("tm-1", "live"), node("dead", "dead")],
    });
    serde_json::from_value(cluster).unwrap()
}
