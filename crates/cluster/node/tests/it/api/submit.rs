//! Submitting (R1).

use std::sync::Arc;

use http::Method;
use incumbent_cluster_core::view::JobView;
use incumbent_cluster_core::{JobRecord, JobState};
use serde_json::{Value, json};

use super::harness::{Cluster, FakeLeader, How, id, spec};

#[tokio::test]
async fn a_job_is_written_down_while_nobody_leads() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let path = format!("/v1/jobs/{}", id(1));
    let reply = node.put(&path, &spec("first")).send().await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.headers["location"], path.as_str());
    let job: JobView = reply.json();
    assert_eq!(
        (job.id, job.name.as_str(), job.state),
        (id(1).to_string(), "first", JobState::Waiting)
    );
    let names = node.node.group().records().await.unwrap();
    assert!(names.contains(&id(1).record()));
}

#[tokio::test]
async fn the_same_job_sent_again_to_any_node_is_one_job() {
    let cluster = Cluster::new();
    let (one, other) = (
        cluster.node(How::default()).await,
        cluster.node(How::default()).await,
    );
    let path = format!("/v1/jobs/{}", id(1));
    let first: JobView = one.put(&path, &spec("first")).send().await.json();
    // The same in other words: defaults are written out.
    let again =
        json!({ "command": ["sh", "-c", "true"], "grace_ms": 10_000, "tasks": 2, "name": "first" });
    let again = other.put(&path, &again).send().await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json::<JobView>().incarnation, first.incarnation);
    let changed = other.put(&path, &spec("second")).refused().await;
    assert_eq!(changed, (409, "conflict".into()));
}

#[tokio::test]
async fn an_id_whose_job_was_removed_is_not_used_again() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let path = format!("/v1/jobs/{}", id(1));
    assert_eq!(node.put(&path, &spec("first")).send().await.status, 201);
    let leadership = node.lead().await;
    let mut record = leadership.open::<Value>(&id(1).record()).await.unwrap();
    record.delete().await.unwrap();
    let refused = node.put(&path, &spec("first")).refused().await;
    assert_eq!(refused, (410, "gone".into()));
}

#[tokio::test]
async fn an_archived_job_is_shown_and_a_late_repetition_does_not_run_it_again() {
    let cluster = Cluster::new();
    let fake = Arc::new(FakeLeader::default());
    let how = How {
        leader: Some(Arc::clone(&fake)),
        ..How::default()
    };
    let node = cluster.node(how).await;
    let path = format!("/v1/jobs/{}", id(1));
    let first: JobView = node.put(&path, &spec("first")).send().await.json();
    // As a leader does with the oldest jobs that have ended (R11).
    let leadership = node.lead().await;
    let record = leadership.open::<JobRecord>(&id(1).record()).await.unwrap();
    let body = JobRecord {
        state: JobState::Finished,
        ..record.data().unwrap().clone()
    };
    let json = serde_json::to_vec(&body).unwrap();
    let kept = (node.node.blobs()).put_archived_job(id(1), body.incarnation, json.into());
    kept.await.unwrap();
    record.erase().await.unwrap();

    let shown: JobView = node.get(&path).send().await.json();
    assert_eq!(
        (shown.state, &shown.incarnation),
        (JobState::Finished, &first.incarnation)
    );
    let again = node.put(&path, &spec("first")).send().await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json::<JobView>().incarnation, first.incarnation);
    let changed = node.put(&path, &spec("second")).refused().await;
    assert_eq!(changed, (409, "conflict".into()));
    let record = node.node.group().read::<JobRecord>(&id(1).record()).await;
    assert!(record.unwrap().is_none(), "nothing was created");

    let forgotten = node.ask(Method::DELETE, &path).send().await;
    assert_eq!(forgotten.status, 204);
    assert_eq!(node.get(&path).refused().await.0, 404);
}

#[tokio::test]
async fn a_damaged_record_is_left_alone_and_said_to_be_damaged() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let path = format!("/v1/jobs/{}", id(1));
    let damage = json!({ "what": "is this" });
    node.node
        .group()
        .create(&id(1).record(), &damage)
        .await
        .unwrap();
    for ask in [
        node.put(&path, &spec("first")),
        node.get(&format!("{path}/logs")),
        node.get(&format!("{path}/tasks/0/http/")),
    ] {
        assert_eq!(ask.refused().await, (500, "damaged".into()));
    }
    let found = node
        .node
        .group()
        .read::<Value>(&id(1).record())
        .await
        .unwrap();
    assert_eq!(found.unwrap().data, damage);
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_with_every_wrong_field() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let path = format!("/v1/jobs/{}", id(1));
    let bad = json!({ "name": "a b", "tasks": 0, "command": ["sh", "{nothing}"], "env": { "A": "s3cret", "0": "x" } });
    let reply = node.put(&path, &bad).send().await;
    let problem = reply.problem();
    assert_eq!((problem.status, problem.name()), (422, "bad-job"));
    let fields: Vec<&str> = problem
        .errors
        .iter()
        .map(|error| &error.field[..])
        .collect();
    for field in ["name", "tasks"] {
        assert!(fields.contains(&field), "{fields:?}");
    }
    assert!(fields.len() >= 4, "{problem:?}");
    assert!(!reply.text().contains("s3cret"));

    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("{\"name\":\"x\"}", 422),
        ("{\"name\":\"x\",\"command\":[\"x\"],\"taskz\":1}", 422),
    ] {
        let mut ask = node.ask(Method::PUT, &path);
        ask.body = body.into();
        assert_eq!(ask.refused().await.0, status, "{body}");
    }
    let mut large = spec("x");
    large["env"] = json!({ "A": "x".repeat(65 * 1024) });
    assert_eq!(
        node.put(&path, &large).refused().await,
        (413, "too-large".into())
    );
    for bad_id in ["1", "x", &"A".repeat(32), "a-name"] {
        let refused = node
            .put(&format!("/v1/jobs/{bad_id}"), &spec("x"))
            .refused()
            .await;
        assert_eq!(refused, (400, "bad-request".into()), "{bad_id}");
    }
    assert_eq!(
        node.node.group().records().await.unwrap().len(),
        1,
        "only the cluster"
    );
}
