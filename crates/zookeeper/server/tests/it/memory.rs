//! A server without a directory.

use incumbent_leader_server::Options;
use incumbent_zk_probe::{Error, again, new_session};
use incumbent_zk_proto::ConnectRequest;

use crate::harness::{Running, connect, create, done, is_there, set, soon};

#[tokio::test]
async fn a_restart_begins_above_everything_given_out_before() {
    let mut highest = 0;
    for _ in 0..5 {
        let server = Running::start(Options::local()).await;
        let mut probe = server.client().await;
        assert!(probe.granted().session > highest);
        done(&mut probe, &create("/n")).await;
        for _ in 0..300 {
            done(&mut probe, &set("/n", b"")).await;
        }
        let zxid = soon(probe.ping()).await.unwrap().zxid;
        assert!(zxid > highest);
        highest = zxid;
        server.stop().await;
    }
}

#[tokio::test]
async fn who_has_seen_more_is_welcome_and_followed() {
    let server = Running::start(Options::local()).await;
    let mut first = server.client().await;
    done(&mut first, &create("/n")).await;
    let seen = soon(first.ping()).await.unwrap().zxid + (1 << 40);
    let ahead = ConnectRequest {
        last_zxid_seen: seen,
        ..new_session(10_000)
    };
    let mut probe = connect(server.address, &ahead).await.unwrap();
    assert!(probe.granted().session > seen);
    assert!(soon(probe.ping()).await.unwrap().zxid > seen);
    assert!(is_there(&mut first, "/n").await);
    let absurd = ConnectRequest {
        last_zxid_seen: i64::MAX,
        ..new_session(10_000)
    };
    let error = connect(server.address, &absurd).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error:?}");
    done(&mut probe, &create("/on")).await;
}

#[tokio::test]
async fn a_session_of_before_is_over_after_a_restart() {
    let server = Running::start(Options::local()).await;
    let granted = server.client().await.granted().clone();
    server.stop().await;
    let server = Running::start(Options::local()).await;
    let error = connect(server.address, &again(&granted)).await.unwrap_err();
    assert!(matches!(error, Error::SessionOver), "{error:?}");
}

#[tokio::test]
async fn who_keeps_something_follows_nobody_whatever_the_options_say() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = crate::harness::kept_in(dir.path());
    options.machine.forgetful = true;
    let server = Running::start(options).await;
    let ahead = ConnectRequest {
        last_zxid_seen: 1 << 20,
        ..new_session(10_000)
    };
    // The log does not have what the client has seen: after a restart, other changes would get the
    // same numbers.
    let error = connect(server.address, &ahead).await.err().unwrap();
    assert!(matches!(error, Error::Closed), "{error:?}");
}
