//! What the leader answers, through any node.

use std::sync::Arc;

use http::Method;
use incumbent_cluster_core::JobState;
use incumbent_cluster_core::leader::Question;
use incumbent_cluster_core::view::{ClusterView, JobView};
use incumbent_cluster_node::api::{AttemptList, JobList, NodeList, TaskList, Why};
use serde_json::json;

use super::harness::{Cluster, FakeLeader, How, Running, id, view};

/// A leader that knows these jobs, and another node.
async fn two(cluster: &Cluster, jobs: u128) -> (Running, Running, Arc<FakeLeader>) {
    let fake = Arc::new(FakeLeader::default());
    for number in 1..=jobs {
        fake.add(view(id(number), &format!("job-{number}")));
    }
    let how = How {
        leader: Some(Arc::clone(&fake)),
        ..How::default()
    };
    (
        cluster.node(how).await,
        cluster.node(How::default()).await,
        fake,
    )
}

#[tokio::test]
async fn every_node_answers_what_the_leader_knows() {
    let cluster = Cluster::new();
    let (leader, other, _) = two(&cluster, 3).await;
    let leadership = leader.lead().await;
    other.follows().await;
    for node in [&leader, &other] {
        let list: JobList = node.get("/v1/jobs").send().await.json();
        let names: Vec<_> = list.jobs.iter().map(|job| &job.name[..]).collect();
        assert_eq!(names, ["job-3", "job-2", "job-1"], "newest first");
        for path in [format!("/v1/jobs/{}", id(2)), "/v1/jobs/job-2".into()] {
            assert_eq!(
                node.get(&path).send().await.json::<JobView>().id,
                id(2).to_string()
            );
        }
        let _: ClusterView = node.get("/v1/cluster").send().await.json();
        let _: NodeList = node.get("/v1/nodes").send().await.json();
        let why: Why = node.get("/v1/jobs/job-1/why").send().await.json();
        assert!(!why.lines.is_empty());
        let tasks: TaskList = node.get("/v1/jobs/job-1/tasks").send().await.json();
        let attempts: AttemptList = node.get("/v1/jobs/job-1/attempts").send().await.json();
        assert_eq!((tasks.attempt, attempts.attempt), (1, 1));
        assert_eq!(
            node.get("/v1/jobs/nobody").refused().await,
            (404, "not-found".into())
        );
    }
    drop(leadership);
}

#[tokio::test]
async fn a_question_waits_until_somebody_leads() {
    let cluster = Cluster::new();
    let (leader, other, _) = two(&cluster, 1).await;
    let asked = tokio::spawn(other.get("/v1/jobs").send());
    super::harness::wait("it is held", async || {
        other.node.gateway().status().held == 1
    })
    .await;
    let leadership = leader.lead().await;
    assert_eq!(asked.await.unwrap().status, 200);
    drop(leadership);
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let cluster = Cluster::new();
    let (leader, _, fake) = two(&cluster, 7).await;
    let leadership = leader.lead().await;
    let mut after = String::new();
    let mut names = Vec::new();
    loop {
        let list: JobList = leader
            .get(&format!("/v1/jobs?limit=3{after}"))
            .send()
            .await
            .json();
        assert!(list.jobs.len() <= 3);
        names.extend(list.jobs.into_iter().map(|job| job.name));
        let Some(next) = list.next else { break };
        after = format!("&after={next}");
    }
    assert_eq!(
        names,
        [
            "job-7", "job-6", "job-5", "job-4", "job-3", "job-2", "job-1"
        ]
    );
    fake.jobs.lock().unwrap().get_mut(&id(3)).unwrap().state = JobState::Failed;
    let list: JobList = leader.get("/v1/jobs?state=failed").send().await.json();
    assert_eq!(list.jobs.len(), 1);
    let list: JobList = leader.get("/v1/jobs?live=true").send().await.json();
    assert_eq!(list.jobs.len(), 6);
    for bad in ["limit=0", "limit=x", "limit=100001", "state=nothing"] {
        assert_eq!(
            leader.get(&format!("/v1/jobs?{bad}")).refused().await.0,
            400,
            "{bad}"
        );
    }
    drop(leadership);
}

#[tokio::test]
async fn a_restart_that_is_repeated_restarts_once() {
    let cluster = Cluster::new();
    let (leader, other, fake) = two(&cluster, 1).await;
    let leadership = leader.lead().await;
    other.follows().await;
    let path = format!("/v1/jobs/{}/desired", id(1));
    let wish = json!({ "state": "running", "after_attempt": 1 });
    for _ in 0..3 {
        let job: JobView = other.put(&path, &wish).send().await.json();
        assert_eq!(job.attempt, 2);
    }
    let restarts = fake
        .asked()
        .into_iter()
        .filter(|asked| matches!(asked, Question::Restart(_)));
    assert_eq!(restarts.count(), 1);
    let early = other.put(&path, &json!({ "state": "running", "after_attempt": 9 }));
    assert_eq!(early.refused().await, (409, "conflict".into()));
    drop(leadership);
}

#[tokio::test]
async fn wishes_are_for_ids_and_may_be_repeated() {
    let cluster = Cluster::new();
    let (leader, _, _) = two(&cluster, 1).await;
    let leadership = leader.lead().await;
    let path = format!("/v1/jobs/{}", id(1));
    let canceled = json!({ "state": "canceled" });
    for _ in 0..2 {
        let job: JobView = leader
            .put(&format!("{path}/desired"), &canceled)
            .send()
            .await
            .json();
        assert_eq!(job.state, JobState::Canceled);
    }
    assert_eq!(
        leader
            .put("/v1/jobs/job-1/desired", &canceled)
            .refused()
            .await
            .0,
        400
    );
    for bad in [
        json!({}),
        json!({ "state": "sleeping" }),
        json!({ "state": "running", "tasks": 0 }),
        json!({ "state": "running", "tasks": 1001 }),
        json!({ "state": "running", "tasks": 1, "after_attempt": 1 }),
        json!({ "state": "suspended", "savepoint": "mine" }),
        json!({ "state": "canceled", "x": 1 }),
    ] {
        let refused = leader.put(&format!("{path}/desired"), &bad).refused().await;
        assert_eq!(refused, (400, "bad-request".into()), "{bad}");
    }
    for _ in 0..2 {
        assert_eq!(leader.ask(Method::DELETE, &path).send().await.status, 204);
    }
    for state in ["draining", "forgotten"] {
        let wish = json!({ "state": state });
        assert_eq!(
            leader
                .put("/v1/nodes/tm/desired", &wish)
                .send()
                .await
                .status,
            204
        );
        assert_eq!(
            leader
                .put("/v1/nodes/nobody/desired", &wish)
                .refused()
                .await
                .0,
            404
        );
    }
    drop(leadership);
}

#[tokio::test]
async fn reading_changes_nothing() {
    let cluster = Cluster::new();
    let (leader, _, fake) = two(&cluster, 1).await;
    let leadership = leader.lead().await;
    for path in [
        "",
        "/attempts",
        "/tasks",
        "/why",
        "/desired",
        "/checkpoints",
        "/savepoints/1",
    ] {
        leader
            .get(&format!("/v1/jobs/{}{path}", id(1)))
            .send()
            .await;
    }
    for path in [
        "/v1/jobs",
        "/v1/cluster",
        "/v1/nodes",
        "/v1/nodes/tm/desired",
        "/v1/metrics",
        "/v1/savepoints",
        &format!("/v1/savepoints/{}", "a".repeat(32)),
    ] {
        leader.get(path).send().await;
    }
    let is_reading = |asked: &Question| {
        matches!(
            asked,
            Question::Jobs
                | Question::Job(_)
                | Question::JobNamed(_)
                | Question::Cluster
                | Question::Savepoints
        )
    };
    assert!(fake.asked().iter().all(is_reading), "{:?}", fake.asked());
    drop(leadership);
}
