//! kazoo, the Python client.

use std::path::Path;
use std::process::Command;

use crate::needs;
use crate::program::finished;
use crate::server::Server;

pub(crate) const TOPICS: [&str; 8] = [
    "nodes",
    "transactions",
    "access",
    "watches",
    "locks",
    "recipes",
    "sessions",
    "words",
];

/// Checks the claims of `kazoo/TOPIC.py`.
pub(crate) fn run(server: &Server, topic: &str) {
    let Some(library) = needs::kazoo() else {
        return;
    };
    let mut command = Command::new("python3");
    command
        .args(["-m", "unittest", "-v", topic])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("kazoo"))
        .env("PYTHONPATH", library)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("INCUMBENT_FOREIGN_ADDRESS", server.address());
    let (status, output) = finished(&mut command);
    println!("{output}");
    assert!(status.success(), "not all of kazoo's {topic} is as claimed");
    assert!(output.contains(" ... ok"), "nothing was checked");
}

#[test]
fn kazoo_creates_reads_and_deletes_nodes() {
    run(&Server::start(), "nodes");
}

#[test]
fn kazoo_commits_transactions() {
    run(&Server::start(), "transactions");
}

#[test]
fn kazoo_is_given_and_refused_access() {
    run(&Server::start(), "access");
}

#[test]
fn kazoo_watches() {
    run(&Server::start(), "watches");
}

#[test]
fn kazoo_locks_and_elects() {
    run(&Server::start(), "locks");
}

#[test]
fn kazoo_counts_queues_and_meets() {
    run(&Server::start(), "recipes");
}

#[test]
fn kazoo_keeps_and_loses_sessions() {
    run(&Server::start(), "sessions");
}

#[test]
fn kazoo_says_four_letter_words() {
    run(&Server::start(), "words");
}
