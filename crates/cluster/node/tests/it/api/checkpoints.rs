//! The checkpoints of a job, whether anybody leads or not; and what a job may start from.

use std::sync::Arc;

use incumbent_cluster_core::checkpoint::{
    Checkpoint, CheckpointId, ManifestPointer, RestorePoint, Savepoint,
};
use incumbent_cluster_core::view::{CheckpointsView, JobView, PendingCheckpointView};
use incumbent_cluster_core::{
    Attempt, Checkpointing, Incarnation, JobRecord, JobState, SavepointId,
};
use serde_json::json;

use super::harness::{Cluster, FakeLeader, How, checkpoints_view, id, record, spec, view};

fn checkpoint(number: u64, savepoint: Option<SavepointId>) -> Checkpoint {
    Checkpoint {
        number,
        attempt: Attempt(1),
        tasks: 1,
        savepoint,
        manifest: ManifestPointer {
            object: "manifest-1-x.json".into(),
            sha256: "0".repeat(64),
        },
        bytes: 1000 + number,
        completed_at: "2026-01-01T00:00:01Z".into(),
        took_ms: 20,
    }
}

/// The record of a job that has checkpointed, and started from another's checkpoint.
fn checkpointed() -> JobRecord {
    let mut record = record(id(1), 1, "127.0.0.1:1".parse().unwrap());
    record.spec.checkpoints = Some(Checkpointing {
        interval_ms: Some(250),
        ..Checkpointing::default()
    });
    let savepoint = SavepointId::new(9);
    record.checkpoints = vec![checkpoint(6, None), checkpoint(7, Some(savepoint))];
    record.savepoints = vec![Savepoint {
        id: savepoint,
        checkpoint: checkpoint(7, Some(savepoint)),
    }];
    record.origin = Some(RestorePoint {
        from: CheckpointId {
            job: id(5),
            incarnation: Incarnation::new(1),
            attempt: Attempt(2),
            number: 3,
            savepoint: None,
        },
        tasks: 2,
        manifest: checkpoint(3, None).manifest,
    });
    record
}

fn assert_of_record(view: &CheckpointsView) {
    assert_eq!(view.interval_ms, 250);
    let numbers: Vec<_> = view.completed.iter().map(|found| found.number).collect();
    assert_eq!(numbers, [6, 7]);
    let savepoint = view.completed[1].savepoint.as_deref();
    assert_eq!(savepoint, Some(&SavepointId::new(9).to_string()[..]));
    let from = view.restored_from.as_deref().unwrap();
    assert!(
        from.contains("checkpoint 3") && from.contains(&id(5).to_string()),
        "{from}"
    );
}

#[tokio::test]
async fn while_nobody_leads_the_record_says_what_is_completed() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    node.write(&checkpointed()).await;
    let path = format!("/v1/jobs/{}/checkpoints", id(1));
    let view: CheckpointsView = node.get(&path).send().await.json();
    assert_of_record(&view);
    assert_eq!(view.pending, None);
    // Names are the leader's to know.
    let by_name = node.get("/v1/jobs/job/checkpoints").refused().await;
    assert_eq!(by_name, (503, "no-leader".into()));
    let nobody = node.get(&format!("/v1/jobs/{}/checkpoints", id(2)));
    assert_eq!(nobody.refused().await, (404, "not-found".into()));
}

#[tokio::test]
async fn the_leader_says_what_is_pending_too() {
    let cluster = Cluster::new();
    let fake = Arc::new(FakeLeader::default());
    let pending = PendingCheckpointView {
        number: 8,
        for_ms: 100,
        missing: vec![0],
        savepoint: None,
    };
    fake.add(JobView {
        checkpoints: Some(CheckpointsView {
            pending: Some(pending.clone()),
            ..checkpoints_view()
        }),
        ..view(id(1), "job-1")
    });
    fake.add(view(id(2), "job-2"));
    let how = How {
        leader: Some(Arc::clone(&fake)),
        ..How::default()
    };
    let (leader, other) = (cluster.node(how).await, cluster.node(How::default()).await);
    let leadership = leader.lead().await;
    other.follows().await;
    for job in ["job-1", &id(1).to_string()] {
        let path = format!("/v1/jobs/{job}/checkpoints");
        let view: CheckpointsView = other.get(&path).send().await.json();
        assert_eq!(view.pending.as_ref(), Some(&pending));
    }
    let without = other.get("/v1/jobs/job-2/checkpoints").refused().await;
    assert_eq!(without, (404, "not-found".into()));
    drop(leadership);
}

#[tokio::test]
async fn an_archived_job_shows_its_checkpoints_and_savepoints() {
    let cluster = Cluster::new();
    let how = How {
        leader: Some(Arc::default()),
        ..How::default()
    };
    let node = cluster.node(how).await;
    let record = JobRecord {
        state: JobState::Canceled,
        ..checkpointed()
    };
    let json = serde_json::to_vec(&record).unwrap();
    let kept = (node.node.blobs()).put_archived_job(id(1), record.incarnation, json.into());
    kept.await.unwrap();
    let leadership = node.lead().await;
    let job: JobView = node.get(&format!("/v1/jobs/{}", id(1))).send().await.json();
    assert_eq!(job.checkpoint.unwrap().number, 7);
    assert_of_record(&job.checkpoints.unwrap());
    assert_eq!(job.savepoints.len(), 1);
    drop(leadership);
}

#[tokio::test]
async fn a_job_starts_from_ids_and_never_from_a_place() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let submit = |restore| {
        let mut wanted = spec("x");
        wanted["checkpoints"] = json!({});
        wanted["restore"] = restore;
        node.put(&format!("/v1/jobs/{}", id(1)), &wanted)
    };
    for bad in [
        json!("s3://bucket/savepoints/1"),
        json!("/mnt/blobs/savepoints/1"),
        json!({ "from": "url", "url": "s3://bucket" }),
        json!({ "from": "savepoint", "savepoint": "file:///mnt/savepoint" }),
        json!({ "from": "job", "job": "a-name" }),
    ] {
        let reply = submit(bad.clone()).send().await;
        assert_eq!(reply.status, 422, "{bad}");
        let problem = reply.problem();
        assert_eq!(problem.errors.len(), 1, "{problem:?}");
        assert_eq!(problem.errors[0].field, "restore");
        assert!(problem.detail.contains("never from a URL"), "{problem:?}");
    }
    let itself = json!({ "from": "job", "job": id(1).to_string() });
    assert_eq!(submit(itself).refused().await.0, 400);
    let other = json!({ "from": "job", "job": id(2).to_string(), "checkpoint": 7 });
    assert_eq!(submit(other).send().await.status, 201);
}
