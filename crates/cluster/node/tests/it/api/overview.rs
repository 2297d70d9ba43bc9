//! The cluster at a glance, many jobs in pages, and what changes as it does.

use std::sync::Arc;

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::leader::Question;
use incumbent_cluster_node::api::{
    JobRows, LeaderNow, LeaderState, MOST_LISTENERS, NodeRows, Overview,
};

use super::harness::{Cluster, FakeLeader, How, Stream, id, view, wait};

/// What the overview of a thousand jobs may cost over the wire.
const LARGEST_OVERVIEW: usize = 150 * 1024;

fn leading(jobs: u128) -> (How, Arc<FakeLeader>) {
    let fake = Arc::new(FakeLeader::default());
    for number in 1..=jobs {
        fake.add(view(id(number), &format!("job-{number}")));
    }
    let how = How {
        leader: Some(Arc::clone(&fake)),
        ..How::default()
    };
    (how, fake)
}

#[tokio::test]
async fn a_thousand_jobs_are_small_at_a_glance_and_in_pages() {
    let cluster = Cluster::new();
    let (how, _) = leading(1000);
    let leader = cluster.node(how).await;
    let other = cluster.node(How::default()).await;
    let leadership = leader.lead().await;
    other.follows().await;
    for node in [&leader, &other] {
        let overview: Overview = node.get("/v1/overview").send().await.json();
        assert_eq!(overview.jobs.running, 1000);
        let packed = |path: &str| node.get(path).header("accept-encoding", "gzip").send();
        let mut wire = 0;
        for path in ["/v1/overview", "/v1/overview/jobs?limit=1000"] {
            wire += packed(path).await.body.len();
        }
        assert!(wire < LARGEST_OVERVIEW, "{wire} bytes");
        let reply = packed("/v1/overview/jobs?limit=1000").await;
        assert_eq!(reply.headers["content-encoding"], "gzip");
        assert_eq!(reply.headers["vary"], "accept-encoding");
        let page = "/v1/overview/jobs?sort=name&descending=false&limit=2&offset=1&name=job-99";
        let rows: JobRows = node.get(page).send().await.json();
        let names: Vec<_> = rows.jobs.iter().map(|job| &job.name[..]).collect();
        // job-99, job-990 … job-999.
        assert_eq!((rows.total, rows.all, rows.offset), (11, 1000, 1));
        assert_eq!(names.len(), 2, "{names:?}");
        let nodes: NodeRows = node.get("/v1/overview/nodes").send().await.json();
        assert!(nodes.refused.is_empty());
        for bad in [
            "limit=0",
            "limit=1001",
            "state=nonsense",
            "sort=color",
            "offset=-1",
        ] {
            let path = format!("/v1/overview/jobs?{bad}");
            assert_eq!(node.get(&path).send().await.status, 400, "{bad}");
        }
    }
    drop(leadership);
}

#[tokio::test]
async fn those_who_ask_at_the_same_time_cost_the_leader_one_look() {
    let cluster = Cluster::new();
    let (how, fake) = leading(10);
    let leader = cluster.node(how).await;
    let leadership = leader.lead().await;
    let asks = (0..50).map(|_| leader.get("/v1/overview").send());
    for reply in futures::future::join_all(asks).await {
        assert_eq!(reply.status, 200);
    }
    let asked = fake.asked();
    let looks = asked
        .iter()
        .filter(|question| matches!(question, Question::Jobs));
    assert!(looks.count() < 25, "{asked:?}");
    drop(leadership);
}

#[tokio::test]
async fn who_listens_hears_of_leaders_and_of_jobs() {
    let cluster = Cluster::new();
    let (how, fake) = leading(1);
    let leader = cluster.node(how).await;
    let other = cluster.node(How::default()).await;
    let mut events = Stream::of(other.get("/v1/events")).await;
    let first = event(&mut events, "leader").await;
    let nobody: LeaderNow = serde_json::from_str(&first).unwrap();
    assert_eq!(nobody.state, LeaderState::None);
    assert!(!nobody.why.is_empty());
    let leadership = leader.lead().await;
    loop {
        let now: LeaderNow = serde_json::from_str(&event(&mut events, "leader").await).unwrap();
        if now.state == LeaderState::Active {
            assert_eq!(now.name.as_deref(), Some(leader.node.name()));
            break;
        }
    }
    let overview: Overview = serde_json::from_str(&event(&mut events, "overview").await).unwrap();
    assert_eq!(overview.jobs.running, 1);
    event(&mut events, "jobs").await;
    let mut changed = view(id(1), "job-1");
    changed.state = JobState::Failed;
    fake.add(changed);
    event(&mut events, "jobs").await;
    leadership.resign(None).await;
    let gone: LeaderNow = serde_json::from_str(&event(&mut events, "leader").await).unwrap();
    assert_eq!(gone.state, LeaderState::None);
}

#[tokio::test]
async fn listeners_are_limited_and_nobody_is_asked_for_none() {
    let cluster = Cluster::new();
    let (how, fake) = leading(1);
    let leader = cluster.node(how).await;
    let leadership = leader.lead().await;
    let mut streams = Vec::new();
    for _ in 0..MOST_LISTENERS {
        streams.push(Stream::of(leader.get("/v1/events")).await);
    }
    assert_eq!(
        leader.get("/v1/events").refused().await,
        (503, "too-many".into())
    );
    let mut first = streams.pop().unwrap();
    event(&mut first, "overview").await;
    drop((first, streams));
    // A place is free again.
    wait("a place", async || {
        leader.get("/v1/events").open().await.status() == 200
    })
    .await;
    wait("nobody asks any more", async || {
        let before = fake.asked().len();
        // Longer than between two questions.
        tokio::time::sleep(2 * incumbent_cluster_node::api::ASKING).await;
        fake.asked().len() == before
    })
    .await;
    drop(leadership);
}

#[tokio::test]
async fn a_stream_ends_when_its_node_shuts_down() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let mut events = Stream::of(node.get("/v1/events")).await;
    event(&mut events, "leader").await;
    node.stop().await;
    assert_eq!(events.until("event: none").await, None);
}

/// The data of the next event of this kind.
async fn event(stream: &mut Stream, kind: &str) -> String {
    let head = format!("event: {kind}\ndata: ");
    stream.until(&head).await.expect("the stream goes on");
    let data = stream.until("\n\n").await.expect("the stream goes on");
    data.trim_end().to_owned()
}
