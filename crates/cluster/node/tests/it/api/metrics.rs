//! The metrics of all nodes, from any node.

use std::sync::Arc;

use super::harness::{Cluster, FakeLeader, How, node_view};

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
