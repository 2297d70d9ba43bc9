//! Savepoints: made, listed, removed, through any node.

use std::sync::Arc;

use http::Method;
use incumbent_cluster_core::SavepointId;
use incumbent_cluster_core::leader::Question;
use incumbent_cluster_core::view::{JobView, SavepointView};
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
async fn savepoints_come_in_pages_the_newest_first() {
    let cluster = Cluster::new();
    let (leader, other, _) = two(&cluster, 7).await;
    let leadership = leader.lead().await;
    other.follows().await;
    let (mut after, mut found) = (String::new(), Vec::new());
    loop {
        let page = other.get(&format!("/v1/savepoints?limit=3{after}"));
        let list: SavepointList = page.send().await.json();
        assert!(list.is_complete && list.savepoints.len() <= 3);
        found.extend(list.savepoints.into_iter().map(|savepoint| savepoint.id));
        let Some(next) = list.next else { break };
        after = format!("&after={next}");
    }
    let newest_first = (1..=7)
        .rev()
        .map(|number| SavepointId::new(number).to_string());
    assert_eq!(found, newest_first.collect::<Vec<_>>());
    for bad in ["limit=0", "limit=10001", "limit=x"] {
        let page = leader.get(&format!("/v1/savepoints?{bad}"));
        assert_eq!(page.refused().await.0, 400, "{bad}");
    }
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
