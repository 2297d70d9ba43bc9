//! Savepoints: made, listed, removed, through any node.

use std::sync::Arc;

use http::Method;
use incumbent_cluster_core::checkpoint::{Checkpoint, ManifestPointer, Savepoint};
use incumbent_cluster_core::leader::Question;
use incumbent_cluster_core::view::{JobView, SavepointView};
use incumbent_cluster_core::{Attempt, Incarnation, SavepointId};
use incumbent_cluster_node::api::SavepointList;
use serde_json::json;

use super::harness::{
    Cluster, FakeLeader, How, Running, checkpoints_view, id, savepoint_view, view,
};

/// A leader with a job, and another node.
async fn two(cluster: &Cluster, savepoints: u128) -> (Running, Running, Arc<FakeLeader>) {
    let fake = Arc::new(FakeLeader::default());
    let of = |number| savepoint_view(SavepointId::new(number), id(1));
    fake.add(JobView {
        checkpoints: Some(checkpoints_view()),
        savepoints: (1..=savepoints).map(of).collect(),
        ..view(id(1), "job-1")
    });
    let how = How {
        leader: Some(Arc::clone(&fake)),
        ..How::default()
    };
    let leader = cluster.node(how).await;
    (leader, cluster.node(How::default()).await, fake)
}

/// Leaves the files of a savepoint, as if its job had been removed.
async fn mark(node: &Running, number: u128) {
    let savepoint = SavepointId::new(number);
    let checkpoint = Checkpoint {
        number: 7,
        attempt: Attempt(1),
        tasks: 2,
        savepoint: Some(savepoint),
        manifest: ManifestPointer {
            object: "manifest-1-0123456789abcdef0123456789abcdef.json".into(),
            sha256: "0".repeat(64),
        },
        bytes: 1000,
        completed_at: "2026-01-01T00:00:01Z".into(),
        took_ms: 20,
    };
    let marked = Savepoint {
        id: savepoint,
        checkpoint,
    };
    let (job, incarnation) = (id(9), Incarnation::new(9));
    let blobs = node.node.blobs();
    let done = blobs.mark_savepoint(job, incarnation, "removed", &marked);
    done.await.unwrap();
}

#[tokio::test]
async fn a_savepoint_is_asked_for_until_it_is_there() {
    let cluster = Cluster::new();
    let (leader, other, fake) = two(&cluster, 0).await;
    let leadership = leader.lead().await;
    other.follows().await;
    let savepoint = SavepointId::new(9);
    let path = format!("/v1/jobs/{}/savepoints/{savepoint}", id(1));
    let make = || other.put(&path, &json!({})).send();
    let begun = make().await;
    assert_eq!(begun.status, 202);
    assert!(begun.json::<JobView>().checkpoints.is_some());
    for _ in 0..2 {
        let made = make().await;
        assert_eq!(made.status, 200);
        assert_eq!(made.json::<SavepointView>().id, savepoint.to_string());
    }
    let shown = other
        .get(&format!("/v1/savepoints/{savepoint}"))
        .send()
        .await;
    assert_eq!(shown.json::<SavepointView>().name, "job-1");
    let job = id(1);
    let made = Question::Savepoint { job, savepoint };
    let is_other = |asked: &Question| !matches!(asked, Question::Savepoints) && *asked != made;
    assert!(!fake.asked().iter().any(is_other), "{:?}", fake.asked());
    for bad in ["x", "..", &"A".repeat(32)] {
        let path = format!("/v1/jobs/{}/savepoints/{bad}", id(1));
        assert_eq!(other.put(&path, &json!({})).refused().await.0, 400, "{bad}");
    }
    let by_name = format!("/v1/jobs/job-1/savepoints/{savepoint}");
    assert_eq!(other.put(&by_name, &json!({})).refused().await.0, 400);
    drop(leadership);
}

#[tokio::test]
async fn savepoints_come_in_pages_with_those_of_removed_jobs() {
    let cluster = Cluster::new();
    let (leader, other, _) = two(&cluster, 7).await;
    let leadership = leader.lead().await;
    other.follows().await;
    for number in [3, 20, 21] {
        mark(&other, number).await;
    }
    let (mut after, mut found) = (String::new(), Vec::new());
    loop {
        let page = other.get(&format!("/v1/savepoints?limit=3{after}"));
        let list: SavepointList = page.send().await.json();
        assert!(list.is_complete && list.savepoints.len() <= 3);
        assert_eq!((list.unreadable, list.without_files), (Vec::new(), None));
        found.extend(list.savepoints);
        let Some(next) = list.next else { break };
        after = format!("&after={next}");
    }
    let of = |savepoint: &SavepointView| (savepoint.id.clone(), savepoint.has_job);
    let found: Vec<_> = found.iter().map(of).collect();
    let id = |number| SavepointId::new(number).to_string();
    let mut expected: Vec<_> = (1..=7).map(|number| (id(number), true)).collect();
    expected.extend([(id(20), false), (id(21), false)]);
    assert_eq!(found, expected);
    let alone = other
        .get(&format!("/v1/savepoints/{}", id(20)))
        .send()
        .await;
    assert_eq!(alone.json::<SavepointView>().name, "removed");
    for bad in ["limit=0", "limit=1001", "limit=x", "after=x"] {
        let page = leader.get(&format!("/v1/savepoints?{bad}"));
        assert_eq!(page.refused().await.0, 400, "{bad}");
    }
    drop(leadership);
}

#[tokio::test]
async fn a_savepoint_that_another_version_wrote_is_said_to_be_one() {
    let cluster = Cluster::new();
    let (leader, other, _) = two(&cluster, 1).await;
    let leadership = leader.lead().await;
    other.follows().await;
    mark(&other, 20).await;
    let id = SavepointId::new(20);
    let marker = cluster
        .blobs()
        .join(format!("savepoints/{id}/savepoint.json"));
    let text = std::fs::read_to_string(&marker).unwrap();
    std::fs::write(&marker, text.replace("\"format\":1", "\"format\":2")).unwrap();
    let list: SavepointList = other.get("/v1/savepoints").send().await.json();
    assert_eq!(list.savepoints.len(), 1);
    assert_eq!(list.unreadable.len(), 1);
    assert!(list.unreadable[0].why.contains("format 2"), "{list:?}");
    let shown = other.get(&format!("/v1/savepoints/{id}")).refused().await;
    assert_eq!(shown, (409, "other-version".into()));
    drop(leadership);
}

#[tokio::test]
async fn savepoints_of_jobs_are_told_while_the_blobs_are_gone() {
    let cluster = Cluster::new();
    let (leader, _, _) = two(&cluster, 1).await;
    let leadership = leader.lead().await;
    std::fs::remove_dir_all(cluster.blobs()).unwrap();
    let list: SavepointList = leader.get("/v1/savepoints").send().await.json();
    assert_eq!(list.savepoints.len(), 1);
    assert!(list.without_files.is_some());
    drop(leadership);
}

#[tokio::test]
async fn a_savepoint_that_is_removed_twice_is_removed() {
    let cluster = Cluster::new();
    let (leader, _, _) = two(&cluster, 1).await;
    let leadership = leader.lead().await;
    let path = format!("/v1/savepoints/{}", SavepointId::new(1));
    assert_eq!(leader.get(&path).send().await.status, 200);
    for _ in 0..2 {
        let removed = leader.ask(Method::DELETE, &path).send().await;
        assert_eq!(removed.status, 204);
    }
    assert_eq!(leader.get(&path).refused().await, (404, "not-found".into()));
    let malformed = leader.ask(Method::DELETE, "/v1/savepoints/s3:%2F%2Fbucket");
    assert_eq!(malformed.refused().await.0, 400);
    drop(leadership);
}
