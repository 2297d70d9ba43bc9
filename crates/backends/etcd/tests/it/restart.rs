//! Servers that are killed, with and without a restart.

use std::sync::Arc;

use incumbent_backend::{Backend, Expected, Failure};
use incumbent_conformance::outages::{
    one_line_for_each_loss_and_return, restarts_lose_nothing,
    without_a_server_each_call_says_so_in_time,
};
use incumbent_servers::etcd::{Etcd, Options};
use tokio::task::spawn_blocking;

use crate::{create, key, open, read};
use incumbent_conformance::log::Log;

#[tokio::test]
async fn a_server_killed_again_and_again_loses_nothing_acknowledged_and_that_is_told_in_few_words()
{
    let Some(server) = Etcd::start(Options::default()) else {
        return;
    };
    let (log, _guard) = Log::begin("incumbent_backend_etcd");
    let backend = open(&format!("etcd://{}", server.address()));
    let server = Arc::new(server);
    // The test keeps the server until it has read the log.
    let restarted = Arc::clone(&server);
    restarts_lose_nothing(&backend, move || restarted.restart()).await;
    let lines = log.lines();
    one_line_for_each_loss_and_return(&lines, " connected to etcd", "no connection to etcd");
}

/// No call hangs, and each returns the best-known outcome.
#[tokio::test]
async fn without_a_server_nothing_is_written_or_read_and_that_is_said_in_time() {
    let Some(server) = Etcd::start(Options::default()) else {
        return;
    };
    let backend = open(&format!("etcd://{}/it?timeout=1s", server.address()));
    without_a_server_each_call_says_so_in_time(&backend, || server.kill()).await;
    server.restart();
    let found = read(&backend, &key("a")).await.expect("it was created");
    assert!(found.body == b"1" || found.body == b"2");
}

/// A program may be started before its servers are.
#[tokio::test]
async fn servers_may_come_later_than_the_backend() {
    let Some(server) = Etcd::start(Options::default()) else {
        return;
    };
    server.kill();
    let backend = open(&format!("etcd://{}", server.address()));
    let key = key("a");
    let restarted = spawn_blocking(move || {
        server.restart();
        server
    });
    let (version, _server) = tokio::join!(create(&backend, &key, b"1"), restarted);
    assert_eq!(read(&backend, &key).await.unwrap().version, version);
}

/// A request sent to a stopped server takes effect when the server continues.
#[tokio::test]
async fn what_a_stopped_server_was_asked_is_unknown_and_happens_when_it_goes_on() {
    let Some(server) = Etcd::start(Options::default()) else {
        return;
    };
    let backend = open(&format!("etcd://{}/it?timeout=1s", server.address()));
    let key = key("a");
    let version = create(&backend, &key, b"1").await;
    server.pause();
    let swapped = backend.swap(&key, Expected::At(&version), b"2").await;
    assert!(matches!(swapped, Err(Failure::Unknown(_))), "{swapped:?}");
    // Later calls find no connection.
    let swapped = backend.swap(&key, Expected::At(&version), b"3").await;
    assert!(
        matches!(swapped, Err(Failure::NotApplied(_))),
        "{swapped:?}"
    );
    server.resume();
    let found = read(&backend, &key).await.unwrap();
    assert!(found.body == b"1" || found.body == b"2", "{found:?}");
}
