//! Large requests and deep trees, within the limits.

use incumbent_leader_server::Options;
use incumbent_zk_proto::{AddMode, Code, MultiResult, Request, Response};

use crate::harness::{
    LONG_MS, Running, SEQUENTIAL, ask, children, create, create_with, data, delete, done, is_there,
    set, soon,
};
use crate::raw::{Raw, asked};

#[tokio::test]
async fn the_longest_frame_is_taken_and_one_byte_more_is_not() {
    let server = Running::start(Options::local()).await;
    let limit = Options::local().max_frame;
    let empty = asked(1, &create_with("/n", 0, b"")).len() - 4;
    let longest = vec![b'x'; limit - empty];
    let mut probe = server.client().await;
    done(&mut probe, &create_with("/n", 0, &longest)).await;
    assert_eq!(data(&mut probe, "/n").await, longest);
    let mut raw = Raw::greeted(server.address, LONG_MS).await;
    let too_long = vec![b'x'; limit - empty + 1];
    raw.send(&asked(1, &create_with("/m", 0, &too_long))).await;
    raw.closed().await;
    raw.closed_because("a frame of 1048576 bytes; the limit is 1048575")
        .await;
    assert!(!is_there(&mut probe, "/m").await);
}

#[tokio::test]
async fn a_frame_may_be_longer_than_the_log_was_meant_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = crate::harness::kept_in(dir.path());
    options.max_frame = 2 << 20;
    let server = Running::start(options).await;
    let mut probe = server.client().await;
    let long = vec![b'x'; 2_000_000];
    for _ in 0..3 {
        probe.push(&set("/", &long));
    }
    probe.flush().await.unwrap();
    while probe.in_flight() > 0 {
        crate::harness::soon(probe.receive()).await.unwrap();
    }
    assert_eq!(data(&mut probe, "/").await, long);
}

#[tokio::test]
async fn a_path_of_a_hundred_thousand_names_is_only_a_path() {
    let server = Running::start(Options::local()).await;
    let mut probe = server.client().await;
    let path = "/a".repeat(100_000);
    let path = path.as_str();
    let watch = true;
    for request in [
        create(path),
        delete(path),
        set(path, b""),
        children(path),
        Request::Exists { path, watch },
        Request::GetAllChildrenNumber { path },
    ] {
        assert_eq!(ask(&mut probe, &request).await, Err(Code::NoNode));
    }
    for mode in [AddMode::Persistent, AddMode::Recursive] {
        done(&mut probe, &Request::AddWatch { path, mode }).await;
    }
    let prefix = path;
    done(&mut probe, &Request::GetEphemerals { prefix }).await;
    done(&mut probe, &create("/a")).await;
    assert!(probe.take_events().is_empty());
}

#[tokio::test]
async fn a_deep_tree_is_counted_and_deleted() {
    const DEPTH: usize = 1_000;
    let server = Running::start(Options::local()).await;
    let mut probe = server.client().await;
    let mode = AddMode::Recursive;
    done(&mut probe, &Request::AddWatch { path: "/", mode }).await;
    let paths: Vec<_> = (1..=DEPTH).map(|depth| "/a".repeat(depth)).collect();
    for some in paths.chunks(200) {
        let all = some.iter().map(|path| create(path)).collect();
        done(&mut probe, &Request::Multi(all)).await;
    }
    let count = Request::GetAllChildrenNumber { path: "/a" };
    assert_eq!(done(&mut probe, &count).await, Response::Count(999));
    for some in paths.rchunks(200) {
        let all = some.iter().rev().map(|path| delete(path)).collect();
        done(&mut probe, &Request::Multi(all)).await;
    }
    assert_eq!(probe.take_events().len(), 2 * DEPTH);
    assert_eq!(server.monitor.report().summary.nodes, 4);
}

#[tokio::test]
async fn a_hundred_thousand_children_are_listed() {
    let server = Running::start(Options::local()).await;
    let mut probe = server.client().await;
    done(&mut probe, &create("/n")).await;
    for _ in 0..10 {
        let many = vec![create_with("/n/c-", SEQUENTIAL, b""); 10_000];
        let Response::Multi(results) = done(&mut probe, &Request::Multi(many)).await else {
            panic!()
        };
        assert_eq!(results.len(), 10_000);
    }
    let Response::Children(names, _) = done(&mut probe, &children("/n")).await else {
        panic!()
    };
    assert_eq!(names.len(), 100_000);
    assert!(names.contains(&"c-0000099999".into()));
    assert_eq!(ask(&mut probe, &delete("/n")).await, Err(Code::NotEmpty));
}

#[tokio::test]
async fn a_huge_transaction_is_made_or_taken_back_as_a_whole() {
    const PARTS: usize = 15_000;
    let server = Running::start(Options::local()).await;
    let mut probe = server.client().await;
    done(&mut probe, &create("/n")).await;
    let zxid = server.monitor.report().summary.zxid;
    let mut parts = vec![create_with("/n/c-", SEQUENTIAL, b""); PARTS];
    parts.push(create("/n"));
    let Response::Multi(results) = done(&mut probe, &Request::Multi(parts.clone())).await else {
        panic!()
    };
    assert_eq!(results.len(), PARTS + 1);
    let refused = MultiResult::Refused(Some(Code::NodeExists));
    assert_eq!(results[PARTS], refused);
    assert_eq!(server.monitor.report().summary.nodes, 5);
    assert_eq!(server.monitor.report().summary.zxid, zxid);
    parts.pop();
    done(&mut probe, &Request::Multi(parts)).await;
    assert_eq!(server.monitor.report().summary.nodes, 5 + PARTS);
    assert_eq!(server.monitor.report().summary.zxid, zxid + 1);
}

#[tokio::test]
async fn who_asks_for_what_takes_long_again_and_again_does_not_keep_others_waiting() {
    const COUNTS: usize = 100;
    let server = Running::start(Options::local()).await;
    let (mut greedy, mut other) = (server.client().await, server.client().await);
    for _ in 0..3 {
        let many = vec![create_with("/c-", SEQUENTIAL, b""); 10_000];
        done(&mut greedy, &Request::Multi(many)).await;
    }
    for _ in 0..COUNTS {
        greedy.push(&Request::GetAllChildrenNumber { path: "/" });
    }
    greedy.flush().await.unwrap();
    let counts = async {
        while greedy.in_flight() > 0 {
            soon(greedy.receive()).await.unwrap();
        }
    };
    let mut pings = 0;
    let pinging = async {
        loop {
            soon(other.ping()).await.unwrap();
            pings += 1;
        }
    };
    tokio::select! {
        () = counts => {}
        () = pinging => {}
    }
    assert!(
        pings >= COUNTS / 5,
        "{pings} answers in the time of {COUNTS}"
    );
}
