//! Servers that are killed, with and without a restart.

use std::sync::Arc;

use incumbent_conformance::outages::{
    one_line_for_each_loss_and_return, restarts_lose_nothing,
    without_a_server_each_call_says_so_in_time,
};
use incumbent_servers::zookeeper::{Options, ZooKeeper};
use tokio::task::spawn_blocking;

use crate::{base, create, key, open, read};
use incumbent_conformance::log::Log;

#[tokio::test]
async fn a_server_killed_again_and_again_loses_nothing_acknowledged_and_that_is_told_in_few_words()
{
    let Some(server) = ZooKeeper::start(Options::default()) else {
        return;
    };
    let (log, _guard) = Log::begin("");
    let backend = open(&format!("zookeeper://{}{}", server.address(), base()));
    let server = Arc::new(server);
    // The test keeps the server until it has read the log.
    let restarted = Arc::clone(&server);
    restarts_lose_nothing(&backend, move || restarted.restart()).await;
    let lines = log.lines();
    one_line_for_each_loss_and_return(
        &lines,
        " connected to ZooKeeper",
        "no connection to ZooKeeper",
    );
    let session = |line: &String| line.split_once("session=").map(|(_, id)| id.to_owned());
    let mut sessions: Vec<_> = lines.iter().filter_map(session).collect();
    sessions.dedup();
    assert_eq!(sessions.len(), 1, "the same session goes on: {lines:#?}");
}

/// No call hangs, and each returns the best-known outcome.
#[tokio::test]
async fn without_a_server_nothing_is_written_or_read_and_that_is_said_in_time() {
    let Some(server) = ZooKeeper::start(Options::default()) else {
        return;
    };
    let options = "session-timeout=2s";
    let backend = open(&format!(
        "zookeeper://{}{}?{options}",
        server.address(),
        base()
    ));
    without_a_server_each_call_says_so_in_time(&backend, || server.kill()).await;
    server.restart();
    let found = read(&backend, &key("a")).await.expect("it was created");
    assert!(found.body == b"1" || found.body == b"2");
}

/// A program may be started before its servers are.
#[tokio::test]
async fn servers_may_come_later_than_the_backend() {
    let Some(server) = ZooKeeper::start(Options::default()) else {
        return;
    };
    server.kill();
    let backend = open(&format!("zookeeper://{}{}", server.address(), base()));
    let key = key("a");
    let restarted = spawn_blocking(move || {
        server.restart();
        server
    });
    let (version, _server) = tokio::join!(create(&backend, &key, b"1"), restarted);
    assert_eq!(read(&backend, &key).await.unwrap().version, version);
}
