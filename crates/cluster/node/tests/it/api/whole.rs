//! A whole cluster: JobManagers, a TaskManager in a process of its own with real tasks, and a node
//! without a part, which is the only one that is asked.

use std::process::Stdio;

use incumbent_cluster_core::view::{ClusterView, JobView, NodeKind, TaskViewState};
use incumbent_cluster_core::{JobId, JobState};
use incumbent_cluster_node::api::{JobCounts, LeadershipStory, Overview};
use incumbent_cluster_node::{NodeOptions, run_job_manager};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::harness::{Cluster, How, Running, Stream, id, wait};

const PROBE: &str = env!("CARGO_BIN_EXE_task-manager-probe");

/// A JobManager. Aborting it is its sudden end, apart from the term, which it gives up.
async fn job_manager(cluster: &Cluster, name: &str) -> JoinHandle<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = NodeOptions::new(
        cluster.store(),
        cluster.blobs_url(),
        listener.local_addr().unwrap(),
    );
    options.name = Some(name.to_owned());
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    tokio::spawn(async move {
        let never = std::future::pending();
        let ended = run_job_manager(listener, options, metrics, never).await;
        panic!("a JobManager ended: {ended:?}");
    })
}

fn task_manager(cluster: &Cluster) -> Child {
    Command::new(PROBE)
        .args([cluster.store(), cluster.blobs_url()])
        .arg(cluster.dir("tm"))
        .arg("name=tm")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn job(front: &Running, id: JobId) -> JobView {
    front.get(&format!("/v1/jobs/{id}")).send().await.json()
}

fn pids(job: &JobView) -> Vec<u32> {
    job.tasks.iter().filter_map(|task| task.pid).collect()
}

async fn until_running(front: &Running, id: JobId) -> JobView {
    wait("all tasks run", async || {
        let job = job(front, id).await;
        let runs = |state| state == TaskViewState::Running;
        job.state == JobState::Running && job.tasks.iter().all(|task| runs(task.state))
    })
    .await;
    job(front, id).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_submitted_followed_adopted_and_canceled_through_a_node_without_a_part() {
    let cluster = Cluster::new();
    let front = cluster.node(How::default()).await;
    let path = format!("/v1/jobs/{}", id(1));
    let command = "while :; do echo tick $INCUMBENT_RANK; sleep 0.05; done";
    let spec = json!({ "name": "ticks", "tasks": 2, "command": ["sh", "-c", command] });
    // Nobody leads, and there is no TaskManager.
    assert_eq!(front.put(&path, &spec).send().await.status, 201);
    let ask = front.get(&format!("{path}/logs?follow"));
    let mut following = Stream::of(ask.header("accept", "text/event-stream")).await;

    let mut managers = vec![
        ("one", job_manager(&cluster, "one").await),
        ("two", job_manager(&cluster, "two").await),
    ];
    let _task_manager = task_manager(&cluster);
    let before = until_running(&front, id(1)).await;
    assert_eq!((before.attempt, pids(&before).len()), (1, 2), "{before:?}");
    for rank in 0..2 {
        following.until(&format!("tick {rank}\"")).await.unwrap();
    }
    let view: ClusterView = front.get("/v1/cluster").send().await.json();
    let leader = view.leader.name.clone();
    let of_kind = |kind| view.nodes.iter().filter(|node| node.kind == kind).count();
    assert_eq!(of_kind(NodeKind::TaskManager), 1, "{view:?}");
    assert!(of_kind(NodeKind::JobManager) >= 1, "{view:?}");

    let at = managers
        .iter()
        .position(|(name, _)| *name == leader)
        .unwrap();
    let (_, killed) = managers.remove(at);
    killed.abort();
    for _ in 0..20 {
        following.until("tick").await.unwrap();
    }
    let after = until_running(&front, id(1)).await;
    assert!(after.epoch > before.epoch);
    assert_eq!((after.attempt, pids(&after)), (1, pids(&before)), "adopted");

    wait("the TaskManager says its metrics", async || {
        let metrics = front.get("/v1/metrics").send().await;
        metrics
            .text()
            .contains("incumbent_cluster_node_answered{node=\"tm\"} 1")
    })
    .await;
    let canceled = front.put(&format!("{path}/desired"), &json!({ "state": "canceled" }));
    assert_eq!(canceled.send().await.status, 200);
    following
        .until("event: end\ndata: {\"state\":\"canceled\"}")
        .await
        .unwrap();
    let forgotten = front.ask(http::Method::DELETE, &path).send().await;
    assert_eq!(forgotten.status, 204, "{forgotten:?}");
    assert_eq!(front.get(&path).refused().await.0, 404);
    for (_, manager) in managers {
        manager.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_leader_writes_down_that_it_leads_and_why_the_one_before_does_not() {
    let cluster = Cluster::new();
    let front = cluster.node(How::default()).await;
    let story = async || -> LeadershipStory { front.get("/v1/leadership").send().await.json() };
    let first = job_manager(&cluster, "one").await;
    wait("the first writes it down", async || {
        story().await.changes.len() == 1
    })
    .await;
    let _second = job_manager(&cluster, "two").await;
    first.abort();
    wait("the second writes it down", async || {
        story().await.changes.len() == 2
    })
    .await;
    let story = story().await;
    assert!(story.is_recorded);
    let [second, first] = &story.changes[..] else {
        panic!("{story:?}");
    };
    assert_eq!((&first.leader[..], &second.leader[..]), ("one", "two"));
    assert!(second.epoch > first.epoch && second.pid == std::process::id());
    assert_eq!(first.why, "nobody has led before");
    assert!(second.why.contains("the last leader"), "{second:?}");
    assert_eq!(story.root.unwrap().holder, "two");
    // It is no job, and no reason to be careful.
    let overview: Overview = front.get("/v1/overview").send().await.json();
    assert!(overview.is_complete || overview.jobs == JobCounts::default());
}
