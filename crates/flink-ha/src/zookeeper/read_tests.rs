use incumbent_leader_server::{Options, Server};
use zookeeper_client::{Acls, CreateMode};

use super::*;
use crate::fixtures;

/// Ten nodes of ten bytes with paths of four: /a and nine below.
const BYTES: usize = 2 + 9 * 4 + 10 * 10;

#[tokio::test]
async fn a_cluster_is_read_up_to_a_limit_of_bytes() {
    let server = Server::bind(Options::local()).await.unwrap();
    let socket = server.addresses()[0];
    let serving = tokio::spawn(server.run(std::future::pending()));
    let client = Client::connect(&socket.to_string()).await.unwrap();
    let persistent = CreateMode::Persistent.with_acls(Acls::anyone_all());
    client.create("/flink", b"", &persistent).await.unwrap();
    let below = (1..10).map(|number| format!("/flink/a/{number}"));
    for path in std::iter::once("/flink/a".to_owned()).chain(below) {
        client.create(&path, &[0; 10], &persistent).await.unwrap();
    }
    let all = tree(&client, "/flink", ByteBudget::of(BYTES)).await;
    assert!(all.is_ok_and(|all| all.len() == 10));
    let Err(Unread::Flink(error)) = tree(&client, "/flink", ByteBudget::of(BYTES - 1)).await else {
        panic!("all was read");
    };
    let text = error.to_string();
    assert!(text.contains("137 bytes of HA data"), "{text}");
    serving.abort();
}

#[test]
fn a_cluster_is_found_at_its_own_node_and_neither_above_nor_below_it() {
    for (_, lines) in fixtures::ZNODES {
        let whole = fixtures::tree(lines);
        assert!(!has_nothing(&understand("", &whole)));
        let above = |(path, node)| (format!("/cluster{path}"), node);
        let above: Tree = whole.into_iter().map(above).collect();
        assert!(has_nothing(&understand("", &above)));
        let below = fixtures::tree(lines);
        let below = below
            .into_iter()
            .filter_map(|(path, node)| Some((path.strip_prefix("/leader")?.to_owned(), node)));
        let below: Tree = below.filter(|(path, _)| !path.is_empty()).collect();
        assert!(!below.is_empty() && has_nothing(&understand("", &below)));
        // An entry of Flink's that is unreadable is something.
        let node = Node {
            data: b"text".to_vec(),
            owner: 0,
            version: 0,
        };
        let broken = ("/leader/rest_server/connection_info".to_owned(), node);
        assert!(!has_nothing(&understand("", &Tree::from([broken]))));
        assert!(has_nothing(&understand("", &Tree::new())));
    }
}

#[test]
fn nodes_that_are_there_instead_are_named_up_to_a_limit() {
    let target: incumbent_backend::Address = "zookeeper://h/flink".parse().unwrap();
    let target = ZooKeeperTarget::of(&target).unwrap();
    let node = || Node {
        data: Vec::new(),
        owner: 0,
        version: 0,
    };
    let tree = |count: usize| {
        (0..count)
            .map(|number| (format!("/c{number:02}"), node()))
            .collect()
    };
    assert_eq!(nothing_at(&target, &tree(0), &[]), "at h:2181/flink");
    assert_eq!(
        nothing_at(&target, &tree(2), &[]),
        "at h:2181/flink; this node has: c00, c01"
    );
    let many = nothing_at(&target, &tree(11), &[]);
    assert!(many.ends_with("c09, …") && !many.contains("c10"), "{many}");
}
