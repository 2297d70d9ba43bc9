//! Bounds, ends, and what is told of them.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::{Front, Node, echoes, hears, is_reset, lead, lead_at, options, rest};
use crate::harness::{Cluster, soon, until};

#[tokio::test]
async fn no_more_are_held_than_may_be_nor_for_longer() {
    let cluster = Cluster::new().await;
    let mut options = options();
    options.limits.held = 2;
    options.times.hold = Duration::from_secs(3);
    let front = Front::new(&cluster, options).await;
    let mut held = [front.connect().await, front.connect().await];
    until("both are held", || front.handle.status().held == 2).await;
    is_reset(&mut front.connect().await).await;
    for client in &mut held {
        is_reset(client).await;
    }
    assert_eq!(front.handle.status().held, 0);
}

#[tokio::test]
async fn more_connections_than_may_be_wait_their_turn() {
    let cluster = Cluster::new().await;
    let node = Node::new("one").await;
    let _leadership = lead_at(&cluster, &node).await;
    let mut options = options();
    options.limits.connections = 1;
    let front = Front::new(&cluster, options).await;
    let mut first = front.connect().await;
    hears(&mut first, "one").await;
    let mut second = front.connect().await;
    echoes(&mut first, "still alone").await;
    assert_eq!(node.accepted(), 1);
    drop(first);
    hears(&mut second, "one").await;
}

#[tokio::test]
async fn who_is_silent_for_too_long_is_ended() {
    let cluster = Cluster::new().await;
    let node = Node::new("one").await;
    let _leadership = lead_at(&cluster, &node).await;
    let mut options = options();
    options.times.idle = Some(Duration::from_millis(100));
    let front = Front::new(&cluster, options).await;
    let mut client = front.connect().await;
    hears(&mut client, "one").await;
    is_reset(&mut client).await;
}

#[tokio::test]
async fn who_has_ended_his_half_is_not_waited_for_without_end() {
    let cluster = Cluster::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _leadership = lead(&cluster, &listener.local_addr().unwrap().to_string()).await;
    let mut options = options();
    options.times.half_closed = Duration::from_millis(100);
    let front = Front::new(&cluster, options).await;
    let mut client = front.connect().await;
    let (_node, _) = soon(listener.accept()).await.unwrap();
    client.shutdown().await.unwrap();
    is_reset(&mut client).await;
}

#[tokio::test]
async fn a_leader_that_publishes_the_gateway_itself_is_no_endless_circle() {
    let cluster = Cluster::new().await;
    let mut options = options();
    options.times.hold = Duration::from_secs(1);
    let front = Front::new(&cluster, options).await;
    let _leadership = lead(&cluster, &front.address.to_string()).await;
    front.ready().await;
    let mut client = front.connect().await;
    until("it is held", || front.handle.status().held == 1).await;
    assert_eq!(front.handle.status().connections, 1);
    is_reset(&mut client).await;
}

#[tokio::test]
async fn a_leader_that_was_away_is_tried_again_where_nothing_is_held() {
    let cluster = Cluster::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let _leadership = lead(&cluster, &address.to_string()).await;
    let mut options = options();
    options.limits.held = 0;
    let front = Front::new(&cluster, options).await;
    front.ready().await;
    is_reset(&mut front.connect().await).await;
    let _node = Node::on(TcpListener::bind(address).await.unwrap(), "back");
    hears(&mut front.connect().await, "back").await;
}

#[tokio::test]
async fn a_shutdown_waits_for_connections_and_takes_no_new_ones() {
    let cluster = Cluster::new().await;
    let node = Node::new("one").await;
    let _leadership = lead_at(&cluster, &node).await;
    let mut front = Front::new(&cluster, options()).await;
    let address = front.address;
    let mut client = front.connect().await;
    hears(&mut client, "one").await;
    drop(front.stop.take());
    until("nothing new is taken", || {
        std::net::TcpStream::connect(address).is_err()
    })
    .await;
    echoes(&mut client, "to its end").await;
    client.shutdown().await.unwrap();
    assert!(rest(&mut client).await.unwrap().is_empty());
    soon(&mut front.task).await.unwrap();
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_when_shut_down() {
    let cluster = Cluster::new().await;
    let node = Node::new("one").await;
    let _leadership = lead_at(&cluster, &node).await;
    let mut options = options();
    options.times.drain = Duration::from_millis(50);
    let mut front = Front::new(&cluster, options).await;
    let mut client = front.connect().await;
    hears(&mut client, "one").await;
    drop(front.stop.take());
    soon(&mut front.task).await.unwrap();
    is_reset(&mut client).await;
}

#[tokio::test]
async fn connections_and_bytes_are_counted_by_how_they_ended() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let cluster = Cluster::new().await;
    let node = Node::new("one").await;
    let mut options = options();
    options.limits.held = 0;
    let front = Front::new(&cluster, options).await;
    is_reset(&mut front.connect().await).await;
    let _leadership = lead_at(&cluster, &node).await;
    front.ready().await;
    let mut client = front.connect().await;
    client.write_all(b"hello").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await.unwrap(), b"onehello");
    until("it has ended", || front.handle.status().connections == 0).await;
    let text = metrics.render();
    for line in [
        "incumbent_gateway_tcp_connections_total{outcome=\"too-many-held\"} 1",
        "incumbent_gateway_tcp_connections_total{outcome=\"closed\"} 1",
        "incumbent_gateway_tcp_bytes_total{direction=\"received\"} 5",
        "incumbent_gateway_tcp_bytes_total{direction=\"sent\"} 8",
        "incumbent_gateway_tcp_connections 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}
