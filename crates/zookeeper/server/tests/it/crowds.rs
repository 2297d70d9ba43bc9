//! Many connections come and go, and leave nothing behind.

use std::time::Duration;

use incumbent_leader_server::Options;
use incumbent_zk_probe::Frame;
use incumbent_zk_proto::{Acl, AddMode, Create, CreateKind, Request};

use crate::harness::{
    EPHEMERAL, LONG_MS, Running, create_with, done, get_data, kept_in, set, soon, until,
};
use crate::raw::{Raw, asked};

#[tokio::test]
async fn nothing_is_left_of_connections_that_came_and_went() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options {
        max_connections_per_address: 0,
        ..kept_in(dir.path())
    };
    // Their sessions end at once.
    options.machine.disconnect_grace = Some(Duration::ZERO);
    let server = Running::start(options).await;
    let mut stays = server.client().await;
    done(&mut stays, &create_with("/n", 0, b"")).await;
    let base = server.monitor.report();
    for index in 0..300 {
        let mut raw = Raw::connect(server.address).await;
        if index % 3 > 0 {
            raw.greet(LONG_MS).await;
            let path = format!("/e{index}");
            let mut bytes = asked(1, &create_with(&path, EPHEMERAL, b""));
            let mode = AddMode::Recursive;
            bytes.extend(asked(2, &Request::AddWatch { path: "/", mode }));
            bytes.extend(asked(3, &get_data("/n")));
            bytes.extend(asked(4, &set("/n", b"y")).repeat(5));
            raw.send(&bytes).await;
        }
        // Without waiting for a reply.
        drop(raw);
    }
    let monitor = server.monitor.clone();
    until("all is as it was", || {
        let (now, base) = (monitor.report(), base);
        now.connections == base.connections
            && now.outstanding == 0
            && now.summary.sessions == base.summary.sessions
            && now.summary.nodes == base.summary.nodes
            && now.summary.ephemerals == 0
            && now.summary.watches == 0
            && now.summary.watching_connections == 0
    })
    .await;
    done(&mut stays, &set("/n", b"on")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_write_much_at_once_are_all_answered_though_the_log_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(kept_in(dir.path())).await;
    let address = server.address;
    let writers: Vec<_> = (0..30)
        .map(|index| {
            tokio::spawn(async move {
                let mut probe = crate::harness::client(address).await;
                let path = format!("/{index}");
                done(&mut probe, &create_with(&path, 0, b"")).await;
                // Far more than the log and the sockets take at once.
                for _ in 0..30 {
                    probe.push(&set(&path, &[b'x'; 40_000]));
                }
                probe.flush().await.unwrap();
                for _ in 0..30 {
                    soon(probe.receive()).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(server.monitor.report().outstanding, 0);
}

#[tokio::test]
async fn more_that_fades_at_once_than_the_log_takes_is_logged_nevertheless() {
    const COUNT: usize = 400;
    let dir = tempfile::tempdir().unwrap();
    let options = |fade_interval| {
        let mut options = kept_in(dir.path());
        // The smallest room: for a hundred and fifty of these.
        options.max_frame = 1_024;
        options.journal.buffer_bytes = 0;
        options.machine.fade_interval = Duration::from_millis(fade_interval);
        options
    };
    let server = Running::start(options(60_000)).await;
    let mut probe = server.client().await;
    let paths: Vec<_> = (0..COUNT)
        .map(|index| format!("/{index}-{}", "n".repeat(900)))
        .collect();
    let children: Vec<_> = paths.iter().map(|path| format!("{path}/c")).collect();
    for (path, child) in paths.iter().zip(&children) {
        probe.push(&Request::Create(Create {
            path,
            data: None,
            acl: vec![Acl::open()],
            flags: 4,
            kind: CreateKind::Container,
        }));
        probe.push(&create_with(child, 0, b""));
        probe.push(&crate::harness::delete(child));
    }
    probe.flush().await.unwrap();
    while probe.in_flight() > 0 {
        let Frame::Reply(reply) = soon(probe.receive()).await.unwrap() else {
            panic!("nothing is watched")
        };
        assert!(reply.result.is_ok(), "{reply:?}");
    }
    assert_eq!(server.monitor.report().summary.nodes, 4 + COUNT);
    server.stop().await;

    // All of them are over at the first look.
    let server = Running::start(options(50)).await;
    let monitor = server.monitor.clone();
    until("all have faded", || monitor.report().summary.nodes == 4).await;
    done(&mut server.client().await, &create_with("/on", 0, b"")).await;
    server.stop().await;
    let server = Running::start(options(60_000)).await;
    assert_eq!(server.monitor.report().summary.nodes, 4 + 1);
}
