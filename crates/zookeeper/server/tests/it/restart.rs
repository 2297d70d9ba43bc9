//! What is left after a stop and a start.

use std::time::Duration;

use incumbent_leader_server::{Options, Server, StartError};
use incumbent_zk_probe::{Error, again};
use incumbent_zk_proto::{ConnectRequest, MultiResult, Request, Response, Stat};

use crate::harness::{
    EPHEMERAL, Running, SEQUENTIAL, ask, children, client, connect, create, create_with, data,
    delete, done, is_there, kept_in, set, soon, until,
};

async fn stat(probe: &mut incumbent_zk_probe::Probe, path: &str) -> Stat {
    match done(probe, &Request::Exists { path, watch: false }).await {
        Response::Stat(stat) => stat,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nodes_stats_and_sessions_are_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(kept_in(dir.path())).await;
    let mut probe = server.client().await;
    done(&mut probe, &create("/a")).await;
    done(&mut probe, &set("/a", b"second")).await;
    done(&mut probe, &create_with("/a/s-", SEQUENTIAL, b"")).await;
    done(&mut probe, &create_with("/a/s-", SEQUENTIAL, b"")).await;
    done(&mut probe, &delete("/a/s-0000000000")).await;
    done(&mut probe, &create_with("/a/mine", EPHEMERAL, b"me")).await;
    let pair = Request::Multi(vec![create("/m"), create("/m/1"), set("/m", b"new")]);
    done(&mut probe, &pair).await;
    let refused = Request::Multi(vec![create("/n"), create("/a")]);
    let Response::Multi(results) = done(&mut probe, &refused).await else {
        panic!()
    };
    assert!(matches!(results[0], MultiResult::Refused(_)));
    let paths = ["/", "/a", "/a/s-0000000001", "/a/mine", "/m", "/m/1"];
    let mut before = Vec::new();
    for path in paths {
        before.push((stat(&mut probe, path).await, data(&mut probe, path).await));
    }
    let zxid = soon(probe.ping()).await.unwrap().zxid;
    let granted = probe.granted().clone();
    server.stop().await;

    let server = Running::start(kept_in(dir.path())).await;
    let mut probe = server.come_back(&granted).await.unwrap();
    assert_eq!(probe.granted().session, granted.session);
    for (path, before) in paths.iter().zip(before) {
        let now = (stat(&mut probe, path).await, data(&mut probe, path).await);
        assert_eq!(now, before, "{path}");
    }
    assert!(!is_there(&mut probe, "/n").await);
    // Zxids continue.
    let next = done(&mut probe, &create_with("/a/s-", SEQUENTIAL, b"")).await;
    assert_eq!(next, Response::Path("/a/s-0000000003".into()));
    assert!(stat(&mut probe, "/a/s-0000000003").await.czxid > zxid);
    let mut wrong = granted.clone();
    wrong.password[3] ^= 1;
    let error = server.come_back(&wrong).await.unwrap_err();
    assert!(matches!(error, Error::SessionOver), "{error:?}");
    soon(probe.close()).await.unwrap();
    let mut probe = server.client().await;
    assert!(!is_there(&mut probe, "/a/mine").await);
}

#[tokio::test]
async fn a_session_that_is_over_stays_over() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(kept_in(dir.path())).await;
    let mut probe = server.client().await;
    done(&mut probe, &create_with("/mine", EPHEMERAL, b"")).await;
    let granted = probe.granted().clone();
    soon(probe.close()).await.unwrap();
    server.stop().await;
    let server = Running::start(kept_in(dir.path())).await;
    let error = server.come_back(&granted).await.unwrap_err();
    assert!(matches!(error, Error::SessionOver), "{error:?}");
    assert!(!is_there(&mut server.client().await, "/mine").await);
}

#[tokio::test]
async fn who_does_not_come_back_after_a_restart_is_gone_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let options = || {
        let mut options = kept_in(dir.path());
        options.machine.min_session_timeout = Duration::from_millis(3_000);
        options
    };
    let server = Running::start(options()).await;
    let mut probe = server.client_with(3_000).await;
    done(&mut probe, &create_with("/mine", EPHEMERAL, b"")).await;
    server.stop().await;
    let server = Running::start(options()).await;
    let mut probe = server.client().await;
    assert!(is_there(&mut probe, "/mine").await);
    while is_there(&mut probe, "/mine").await {}
}

#[tokio::test]
async fn a_client_that_is_connected_goes_on_at_the_same_address() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(kept_in(dir.path())).await;
    let address = server.address;
    let mut probe = server.client().await;
    done(&mut probe, &create_with("/mine", EPHEMERAL, b"")).await;
    let seen = soon(probe.ping()).await.unwrap().zxid;
    server.stop().await;
    let error = soon(probe.receive()).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error:?}");
    let options = Options {
        listen: vec![address],
        ..kept_in(dir.path())
    };
    let _server = Running::start(options).await;
    // As real clients do, which must not be shown an older state.
    let granted = probe.granted();
    let back = ConnectRequest {
        last_zxid_seen: seen,
        ..again(granted)
    };
    let mut probe = connect(address, &back).await.unwrap();
    assert!(is_there(&mut probe, "/mine").await);
    let ahead = ConnectRequest {
        last_zxid_seen: seen + 1000,
        ..again(granted)
    };
    let error = connect(address, &ahead).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error:?}");
}

#[tokio::test]
async fn snapshots_and_what_follows_them_are_everything() {
    let dir = tempfile::tempdir().unwrap();
    let options = || {
        let mut options = kept_in(dir.path());
        options.journal.snapshot_after_entries = 50;
        options
    };
    for round in 0..3 {
        let server = Running::start(options()).await;
        let mut probe = server.client().await;
        let root = format!("/{round}");
        done(&mut probe, &create(&root)).await;
        for index in 0..120 {
            done(&mut probe, &create(&format!("{root}/{index}"))).await;
            done(&mut probe, &set(&root, format!("{index}").as_bytes())).await;
        }
        let has_snapshot = || {
            let names = std::fs::read_dir(dir.path()).unwrap().flatten();
            names
                .filter_map(|entry| entry.file_name().into_string().ok())
                .any(|name| name.starts_with("snapshot"))
        };
        until("there is a snapshot", has_snapshot).await;
        server.stop().await;
    }
    let server = Running::start(options()).await;
    let mut probe = server.client().await;
    for root in ["/0", "/1", "/2"] {
        assert_eq!(data(&mut probe, root).await, b"119");
        let Response::Children(names, _) = done(&mut probe, &children(root)).await else {
            panic!()
        };
        assert_eq!(names.len(), 120, "{root}");
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(kept_in(dir.path())).await;
    let refused = Server::bind(kept_in(dir.path())).await.err().unwrap();
    let StartError::Directory { cause, .. } = &refused else {
        panic!("{refused:?}")
    };
    let (said, cause) = (refused.to_string(), cause.to_string());
    assert!(said.contains(dir.path().to_str().unwrap()), "{said}");
    assert!(cause.contains("is in use by"), "{cause}");
    done(&mut server.client().await, &create("/on")).await;
    server.stop().await;
    let server = Running::start(kept_in(dir.path())).await;
    assert!(is_there(&mut server.client().await, "/on").await);
}

#[tokio::test]
async fn an_address_that_is_in_use_is_refused_and_the_directory_is_free_again() {
    let dir = tempfile::tempdir().unwrap();
    let other = Running::start(Options::local()).await;
    let options = Options {
        listen: vec![other.address],
        ..kept_in(dir.path())
    };
    let refused = Server::bind(options).await.err().unwrap();
    assert!(
        refused.to_string().contains(&other.address.to_string()),
        "{refused}"
    );
    let mut found = Err(refused);
    // The thread that writes frees the directory.
    while found.is_err() {
        found = Server::bind(kept_in(dir.path())).await;
    }
    assert!(
        ask(&mut client(other.address).await, &create("/on"))
            .await
            .is_ok()
    );
}
