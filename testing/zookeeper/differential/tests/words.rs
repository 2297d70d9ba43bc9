//! What monitors read, on both servers.

use std::collections::BTreeMap;

use incumbent_differential::{ours, reference};
use incumbent_zk_probe::{Probe, four_letter_word, new_session};
use incumbent_zk_proto::{Acl, Create, CreateKind, Request};

/// What a server counts with one client that has made three nodes.
async fn counted(address: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let session = new_session(10_000);
    let mut probe = Probe::connect(address, &session).await.expect("it serves");
    for (path, flags) in [("/a", 0), ("/a/b", 0), ("/a/e", 1)] {
        let create = Request::Create(Create {
            path,
            data: Some(b"data"),
            acl: vec![Acl::open()],
            flags,
            kind: CreateKind::Plain,
        });
        let answer = probe.call(&create).await.expect("it answers");
        assert!(answer.result.is_ok(), "{answer:?}");
    }
    let address: std::net::SocketAddr = address.parse().expect("an address");
    let word = async |word| four_letter_word(address, word).await.expect("it answers");
    let names = ["Connections", "Mode", "Node count"];
    let srvr = word("srvr").await;
    let lines = srvr.lines().filter(|line| {
        let (name, _) = line.split_once(": ").unwrap_or_default();
        names.contains(&name)
    });
    let mntr = word("mntr").await;
    let numbers = mntr.lines().filter_map(|line| line.split_once('\t'));
    let numbers = numbers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    (lines.map(str::to_owned).collect(), numbers.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_and_connections_are_counted_alike() {
    let Some(reference) = reference() else { return };
    let ours = ours();
    let (theirs, their_numbers) = counted(&reference.address()).await;
    let (own, own_numbers) = counted(ours.address()).await;
    assert_eq!(own, theirs);
    for name in [
        "zk_num_alive_connections",
        "zk_znode_count",
        "zk_ephemerals_count",
        "zk_watch_count",
        "zk_global_sessions",
        "zk_server_state",
    ] {
        assert_eq!(own_numbers.get(name), their_numbers.get(name), "{name}");
    }
}

/// ZooKeeper has hundreds of names, most of them of ensembles. Those here mean something to a
/// server that is alone, and exporters and dashboards read them.
#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_finds_the_names_it_knows() {
    let Some(reference) = reference() else { return };
    let ours = ours();
    let (_, theirs) = counted(&reference.address()).await;
    let (_, own) = counted(ours.address()).await;
    let missing = |name: &&String| !theirs.contains_key(*name);
    let invented: Vec<_> = own.keys().filter(missing).collect();
    // The names that only this server has.
    assert_eq!(invented, ["zk_last_processed_zxid"]);
    for name in [
        "zk_open_file_descriptor_count",
        "zk_max_file_descriptor_count",
        "zk_auth_failed_count",
        "zk_connection_rejected",
        "zk_bytes_received_count",
        "zk_response_bytes",
        "zk_watch_bytes",
        "zk_avg_fsynctime",
        "zk_max_readlatency",
        "zk_sum_updatelatency",
        "zk_stale_sessions_expired",
    ] {
        assert!(
            own.contains_key(name) && theirs.contains_key(name),
            "{name}"
        );
    }
}
