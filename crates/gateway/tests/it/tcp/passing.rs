//! What passes, is held, and moves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Front, Node, echoes, hears, is_reset, lead, lead_at, options, rest};
use crate::harness::{Cluster, soon, until};

/// What is larger than all buffers in between.
const LARGE: usize = 32 * 1024 * 1024;

#[tokio::test]
async fn bytes_pass_both_ways() {
    let cluster = Cluster::new().await;
    let node = Node::new("one").await;
    let _leadership = lead_at(&cluster, &node).await;
    let front = Front::new(&cluster, options()).await;
    let mut client = front.connect().await;
    hears(&mut client, "one").await;
    echoes(&mut client, "hello").await;
    echoes(&mut client, "again").await;
    assert_eq!(front.handle.status().connections, 1);
    drop(client);
    until("it has ended", || front.handle.status().connections == 0).await;
}

#[tokio::test]
async fn what_comes_while_nobody_leads_is_held_with_what_was_sent() {
    let cluster = Cluster::new().await;
    let node = Node::new("one").await;
    let front = Front::new(&cluster, options()).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = front.connect().await;
        client.write_all(b"early").await.unwrap();
        clients.push(client);
    }
    until("all are held", || front.handle.status().held == 20).await;
    assert_eq!(front.handle.status().leader, "no leader");
    let leadership = cluster.campaign().await;
    leadership.activate().await.unwrap();
    until("it is seen", || {
        front.handle.status().leader == "not published"
    })
    .await;
    assert_eq!(front.handle.status().held, 20);
    drop(leadership);
    let _leadership = lead_at(&cluster, &node).await;
    for mut client in clients {
        hears(&mut client, "oneearly").await;
    }
    assert_eq!(front.handle.status().held, 0);
}

#[tokio::test]
async fn what_comes_while_the_leader_takes_no_connection_is_held() {
    let cluster = Cluster::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let _leadership = lead(&cluster, &address.to_string()).await;
    let front = Front::new(&cluster, options()).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(front.connect().await);
    }
    until("all are held", || front.handle.status().held == 20).await;
    assert_eq!(front.handle.status().leader, "unreachable");
    let node = Node::on(TcpListener::bind(address).await.unwrap(), "late");
    for mut client in clients {
        hears(&mut client, "late").await;
    }
    until("it is reached", || front.handle.status().is_ready).await;
    assert_eq!(node.accepted(), 20);
}

#[tokio::test]
async fn the_second_address_is_tried_when_the_first_takes_no_connection() {
    let cluster = Cluster::new().await;
    let node = Node::new("one").await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = nobody.local_addr().unwrap();
    drop(nobody);
    let both = format!("{closed},{}", node.address);
    let _leadership = lead(&cluster, &both).await;
    let front = Front::new(&cluster, options()).await;
    hears(&mut front.connect().await, "one").await;
}

#[tokio::test]
async fn new_connections_go_to_the_next_leader_and_old_ones_end_after_the_grace() {
    let cluster = Cluster::new().await;
    let (one, two) = (Node::new("one").await, Node::new("two").await);
    let first = lead_at(&cluster, &one).await;
    let mut options = options();
    options.times.outlived = Duration::from_secs(1);
    let front = Front::new(&cluster, options).await;
    let mut old = front.connect().await;
    hears(&mut old, "one").await;
    drop(first);
    // Nobody leads for a while: what there is goes on.
    until("nobody leads", || {
        front.handle.status().leader == "no leader"
    })
    .await;
    echoes(&mut old, "still there").await;
    let _second = lead_at(&cluster, &two).await;
    front.ready().await;
    let mut new = front.connect().await;
    hears(&mut new, "two").await;
    is_reset(&mut old).await;
    echoes(&mut new, "goes on").await;
}

#[tokio::test]
async fn the_end_of_one_half_is_passed_on_and_the_other_half_goes_on() {
    let cluster = Cluster::new().await;
    let node = Node::new("one").await;
    let _leadership = lead_at(&cluster, &node).await;
    let front = Front::new(&cluster, options()).await;
    let mut client = front.connect().await;
    hears(&mut client, "one").await;
    client.write_all(b"the last").await.unwrap();
    client.shutdown().await.unwrap();
    // The node ends its half only when ours has: so its end, and what it said before, was passed on
    // in good order.
    assert_eq!(rest(&mut client).await.unwrap(), b"the last");
    until("it has ended", || front.handle.status().connections == 0).await;
}

#[tokio::test]
async fn a_leader_that_ends_first_can_still_be_talked_to() {
    let cluster = Cluster::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _leadership = lead(&cluster, &listener.local_addr().unwrap().to_string()).await;
    let front = Front::new(&cluster, options()).await;
    let mut client = front.connect().await;
    let (mut node, _) = soon(listener.accept()).await.unwrap();
    node.write_all(b"bye").await.unwrap();
    node.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await.unwrap(), b"bye");
    client.write_all(b"thanks").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut node).await.unwrap(), b"thanks");
}

#[tokio::test]
async fn a_leader_that_breaks_off_is_no_end_in_good_order() {
    let cluster = Cluster::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _leadership = lead(&cluster, &listener.local_addr().unwrap().to_string()).await;
    let front = Front::new(&cluster, options()).await;
    let mut client = front.connect().await;
    client.write_all(b"unread").await.unwrap();
    let (mut node, _) = soon(listener.accept()).await.unwrap();
    hears(&mut node, "unread").await;
    client.write_all(b"also unread").await.unwrap();
    soon(node.peek(&mut [0])).await.unwrap();
    // With unread bytes, closing is a reset.
    drop(node);
    is_reset(&mut client).await;
}

/// A write learns first that the connection has broken off. A read must not take that for its end.
#[tokio::test]
async fn a_leader_that_breaks_off_while_it_is_sent_to_is_no_end_in_good_order() {
    let cluster = Cluster::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _leadership = lead(&cluster, &listener.local_addr().unwrap().to_string()).await;
    let front = Front::new(&cluster, options()).await;
    let client = front.connect().await;
    let (mut node, _) = soon(listener.accept()).await.unwrap();
    let (mut reading, mut writing) = client.into_split();
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let uploading = tokio::spawn(async move {
        while let Ok(count) = writing.write(&[7; 64 * 1024]).await {
            counter.fetch_add(count, Ordering::SeqCst);
        }
    });
    stands_still(&taken).await;
    node.write_all(b"a part").await.unwrap();
    let mut part = [0; 6];
    soon(reading.read_exact(&mut part)).await.unwrap();
    node.write_all(b" and more").await.unwrap();
    rustix::net::sockopt::set_socket_linger(&node, Some(Duration::ZERO)).unwrap();
    drop(node);
    let mut rest = Vec::new();
    let end = soon(reading.read_to_end(&mut rest)).await;
    assert!(end.is_err(), "an end in good order after {rest:?}");
    uploading.abort();
    until("it has ended", || front.handle.status().connections == 0).await;
}

/// An answer to a request that the leader does not want to read: it is whole.
#[tokio::test]
async fn what_a_leader_said_before_it_ended_counts_though_it_takes_no_more() {
    let cluster = Cluster::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _leadership = lead(&cluster, &listener.local_addr().unwrap().to_string()).await;
    let front = Front::new(&cluster, options()).await;
    let mut client = front.connect().await;
    let (mut node, _) = soon(listener.accept()).await.unwrap();
    node.write_all(b"no, thanks").await.unwrap();
    node.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await.unwrap(), b"no, thanks");
    drop(node);
    let _ = client.write_all(b"all the rest").await;
    until("it has ended", || {
        let _ = client.try_write(b"and more");
        front.handle.status().connections == 0
    })
    .await;
}

/// Waits until the count does not rise any more, as the buffers of the system are full, and gives
/// it back.
async fn stands_still(count: &AtomicUsize) -> usize {
    let mut last = usize::MAX;
    while last != count.load(Ordering::SeqCst) {
        last = count.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    last
}

#[tokio::test]
async fn what_one_side_does_not_read_is_not_taken_from_the_other() {
    let cluster = Cluster::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _leadership = lead(&cluster, &listener.local_addr().unwrap().to_string()).await;
    let front = Front::new(&cluster, options()).await;
    let client = front.connect().await;
    let (mut node, _) = soon(listener.accept()).await.unwrap();
    let chunk = vec![7; 64 * 1024];
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let writing = tokio::spawn(async move {
        let mut client = client;
        for _ in 0..LARGE / chunk.len() {
            client.write_all(&chunk).await.unwrap();
            counter.fetch_add(chunk.len(), Ordering::SeqCst);
        }
        client.shutdown().await.unwrap();
        client
    });
    let last = stands_still(&taken).await;
    assert!(last < LARGE, "{last} bytes are somewhere");
    assert_eq!(rest(&mut node).await.unwrap().len(), LARGE);
    soon(writing).await.unwrap();
}

async fn proxied(address: &str) -> (Vec<u8>, SocketAddr, SocketAddr) {
    let cluster = Cluster::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _leadership = lead(&cluster, &listener.local_addr().unwrap().to_string()).await;
    let mut options = options();
    options.proxy_protocol = true;
    let front = Front::on(address, &cluster, options).await;
    let mut client = front.connect().await;
    client.write_all(b"data").await.unwrap();
    client.shutdown().await.unwrap();
    let (mut node, _) = soon(listener.accept()).await.unwrap();
    let got = rest(&mut node).await.unwrap();
    (got, client.local_addr().unwrap(), front.address)
}

#[tokio::test]
async fn the_leader_is_told_who_the_client_is_as_the_proxy_protocol_has_it() {
    let (got, client, front) = proxied("127.0.0.1:0").await;
    let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\x7F\0\0\x01\x7F\0\0\x01".to_vec();
    expected.extend(client.port().to_be_bytes());
    expected.extend(front.port().to_be_bytes());
    expected.extend(b"data");
    assert_eq!(got, expected);
}

#[tokio::test]
async fn the_leader_is_told_who_the_client_is_over_ipv6_too() {
    if TcpListener::bind("[::1]:0").await.is_err() {
        eprintln!(
            "SKIPPED the_leader_is_told_who_the_client_is_over_ipv6_too: there is no IPv6 here"
        );
        return;
    }
    let (got, client, front) = proxied("[::1]:0").await;
    let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
    for _ in 0..2 {
        expected.extend(std::net::Ipv6Addr::LOCALHOST.octets());
    }
    expected.extend(client.port().to_be_bytes());
    expected.extend(front.port().to_be_bytes());
    expected.extend(b"data");
    assert_eq!(got, expected);
}
