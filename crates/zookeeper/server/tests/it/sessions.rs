//! When sessions end.

use std::time::Duration;

use incumbent_leader_server::Options;
use incumbent_zk_probe::Error;

use crate::harness::{EPHEMERAL, LONG_MS, Running, create_with, done, is_there, soon, until};
use crate::raw::Raw;

fn quick() -> Options {
    let mut options = Options::local();
    options.machine.min_session_timeout = Duration::from_millis(500);
    options
}

#[tokio::test]
async fn a_time_out_is_within_the_limits_of_the_server() {
    let mut options = quick();
    options.machine.max_session_timeout = Duration::from_millis(2_000);
    let server = Running::start(options).await;
    for (wanted, granted) in [(0, 500), (-7, 500), (700, 700), (i32::MAX, 2_000)] {
        let probe = server.client_with(wanted).await;
        assert_eq!(probe.granted().timeout_ms, granted);
    }
}

#[tokio::test]
async fn silence_for_half_a_second_ends_a_session_that_asked_for_that() {
    let server = Running::start(quick()).await;
    let mut other = server.client().await;
    let mut silent = server.client_with(500).await;
    done(&mut silent, &create_with("/mine", EPHEMERAL, b"")).await;
    let start = tokio::time::Instant::now();
    let error = soon(silent.receive()).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error:?}");
    assert!(start.elapsed() >= Duration::from_millis(490));
    assert!(!is_there(&mut other, "/mine").await);
    let granted = silent.granted().clone();
    let error = server.come_back(&granted).await.unwrap_err();
    assert!(matches!(error, Error::SessionOver), "{error:?}");
}

#[tokio::test]
async fn pings_keep_a_session() {
    let server = Running::start(quick()).await;
    let mut probe = server.client_with(2_000).await;
    let start = tokio::time::Instant::now();
    while start.elapsed() < Duration::from_millis(2_500) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        soon(probe.ping()).await.unwrap();
    }
}

#[tokio::test]
async fn with_a_grace_closing_the_socket_ends_the_session_and_silence_does_not() {
    let mut options = quick();
    options.machine.disconnect_grace = Some(Duration::from_millis(400));
    let server = Running::start(options).await;
    let mut other = server.client().await;
    let mut silent = server.client().await;
    let mut closes = server.client().await;
    done(&mut silent, &create_with("/silent", EPHEMERAL, b"")).await;
    done(&mut closes, &create_with("/closes", EPHEMERAL, b"")).await;
    let mut returns = server.client().await;
    done(&mut returns, &create_with("/returns", EPHEMERAL, b"")).await;
    let granted = returns.granted().clone();
    drop((closes, returns));
    let mut returns = server.come_back(&granted).await.unwrap();
    while is_there(&mut other, "/closes").await {}
    for path in ["/silent", "/returns"] {
        assert!(is_there(&mut other, path).await, "{path}");
    }
    soon(returns.ping()).await.unwrap();
    soon(silent.ping()).await.unwrap();
}

#[tokio::test]
async fn with_a_grace_what_the_server_closed_itself_proves_nothing() {
    let mut options = quick();
    options.machine.disconnect_grace = Some(Duration::ZERO);
    let server = Running::start(options).await;
    let mut raw = Raw::greeted(server.address, 20_000).await;
    raw.send(&(-1_i32).to_be_bytes()).await;
    raw.closed().await;
    let monitor = server.monitor.clone();
    until("it is gone", || monitor.report().connections == 0).await;
    assert_eq!(monitor.report().summary.sessions, 1);
}

#[tokio::test]
async fn a_session_that_comes_back_elsewhere_closes_its_first_connection() {
    let server = Running::start(quick()).await;
    let mut first = server.client().await;
    let granted = first.granted().clone();
    let mut second = server.come_back(&granted).await.unwrap();
    let error = soon(first.receive()).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error:?}");
    soon(second.ping()).await.unwrap();
    assert_eq!(server.monitor.report().summary.sessions, 1);
}

#[tokio::test]
async fn silence_ends_a_session_also_where_very_short_ones_are_allowed() {
    let mut options = Options::local();
    options.machine.min_session_timeout = Duration::from_millis(1);
    let server = Running::start(options).await;
    let mut silent = server.client_with(300).await;
    // The ticker is always a millisecond late. That does not mean that the server was asleep.
    let error = soon(silent.receive()).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error:?}");
}

/// A client tries again every second for as long as no other server has what it has seen.
#[tokio::test]
async fn a_client_that_has_seen_more_is_logged_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(crate::harness::kept_in(dir.path())).await;
    let first = incumbent_zk_proto::ConnectRequest {
        last_zxid_seen: 0x7_0000_0001,
        ..incumbent_zk_probe::new_session(LONG_MS)
    };
    for attempt in 0..5 {
        let mut raw = crate::raw::Raw::connect(server.address).await;
        let mut bytes = Vec::new();
        incumbent_zk_proto::jute::frame(&mut bytes, |out| first.write(out));
        raw.send(&bytes).await;
        assert_eq!(raw.closed().await, b"");
        raw.closed_because("has seen zxid 0x700000001").await;
        let at_info = raw
            .logged()
            .iter()
            .filter(|line| line.contains(" INFO "))
            .count();
        assert_eq!(at_info, usize::from(attempt == 0), "{:?}", raw.logged());
    }
}
