//! The metrics of all nodes, from any node; and those of one job.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use incumbent_cluster_node::api::{JobMetrics, METRICS_AGE};
use incumbent_cluster_node::wire::{Form, METRICS, prove};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::harness::{Cluster, FakeLeader, How, PATIENCE, Reply, id, node_view, record};

#[tokio::test]
async fn a_node_that_is_dead_is_left_out_and_named() {
    let cluster = Cluster::new();
    let fake = Arc::new(FakeLeader::default());
    let how = How {
        leader: Some(Arc::clone(&fake)),
        ..How::default()
    };
    let (leader, other) = (cluster.node(how).await, cluster.node(How::default()).await);
    *fake.nodes.lock().unwrap() = vec![
        node_view("well", other.address),
        node_view("dead", "127.0.0.1:1".parse().unwrap()),
    ];
    let leadership = leader.lead().await;
    other.follows().await;
    let answered = async || other.get("/v1/metrics").send().await.text().to_owned();
    let text = answered().await;
    assert!(
        text.contains("incumbent_cluster_node_answered{node=\"well\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("incumbent_cluster_node_answered{node=\"dead\"} 0\n"),
        "{text}"
    );
    assert!(
        text.contains("# dead at 127.0.0.1:1 is left out: "),
        "{text}"
    );
    // Nobody leads, and those that were known are still asked.
    leadership.resign(None).await;
    let text = answered().await;
    assert!(text.contains("# No leader"), "{text}");
    assert!(
        text.contains("incumbent_cluster_node_answered{node=\"well\"} 1\n"),
        "{text}"
    );
}

#[tokio::test]
async fn many_pages_of_a_job_ask_its_task_manager_at_most_once_a_second() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    // It says how often it was asked.
    let told = get(async move || {
        let count = counted.fetch_add(1, Ordering::SeqCst) + 1;
        format!("asked{{job=\"job\",rank=\"0\"}} {count}\n")
    });
    let routes = Router::new().route(METRICS, told);
    let routes = prove(routes, &node.node.cluster().secret, Form::Whole);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
    node.write(&record(id(1), 1, address)).await;
    let path = format!("/v1/jobs/{}/metrics", id(1));
    let begun = Instant::now();
    let all = (0..50).map(|_| node.get(&path).send());
    let all = futures::future::join_all(all).await;
    let took = begun.elapsed();
    let newest = |reply: &Reply| {
        let found: JobMetrics = reply.json();
        assert!(found.left_out.is_empty(), "{found:?}");
        found.series[0].value
    };
    let shown = all.iter().map(newest).fold(0.0, f64::max);
    let most = 1 + u32::try_from(took.as_millis() / METRICS_AGE.as_millis()).unwrap();
    let count = asked.load(Ordering::SeqCst);
    assert!(count <= most, "asked {count} times in {took:?}");
    // Later it is asked again.
    let again = async {
        while newest(&node.get(&path).send().await) <= shown {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
    serving.abort();
}
