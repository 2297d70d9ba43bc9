//! A stream job in a storm: what it gives is what plain loops over its input give.
//!
//! It writes files, and rows of a PostgreSQL that is killed as well.

use std::sync::Arc;

use incumbent_servers::postgres::{Options, Postgres};
use serde_json::Value;

use super::super::faults::{number, to_its_end};
use super::super::running::Cluster;
use super::super::storm::Storm;
use super::job::Streaming;
use crate::harness::eventually;

/// How many faults strike in the normal tests. `STREAM_FAULTS=1000` is the long run, and
/// `STREAM_SEED` draws the same faults again, though not at the same moments.
const FAULTS: usize = 15;

/// How many records a job reads, and how many each task reads between two pauses of 10 ms.
const RECORDS: u64 = 24_000;
const PACE: u64 = 10;

const OFTEN: &str = "[checkpoints]\ninterval = \"300ms\"\ntimeout = \"20s\"\n\
                     [restart]\nstrategy = \"fixed-delay\"\ndelay = \"100ms\"\nattempts = 1000000";

#[test]
fn a_stream_job_finishes_with_the_output_of_plain_loops_and_of_a_run_alone() {
    let cluster = Cluster::new();
    let postgres = Postgres::start(Options::default());
    let dir = cluster.place.path("stream");
    let job = Streaming::new(dir, "stream", 4_000, 1).with_rows(postgres.as_ref());
    let file = job.job_file(2, 200, "[checkpoints]\ninterval = \"200ms\"");
    cluster.ask(&["job", "run", &file]).assert_code(0);
    let _log = cluster.follow("log", &["stream"]);
    let ended = cluster.job("stream", "has ended", |view| {
        matches!(view["state"].as_str(), Some("finished" | "failed"))
    });
    assert_eq!(ended["state"], "finished", "{ended:#}");
    let log = || cluster.place.note("log.out");
    assert_eq!(ended["restarts"], 0, "{ended:#} {}", log());
    job.assert_right();
    job.assert_right_alone();
}

#[test]
fn the_operator_that_a_stream_job_waits_for_is_named() {
    let cluster = Cluster::new();
    let job = Streaming::new(cluster.place.path("slow"), "slow", 20_000, 1);
    // It pauses in a `map`, for each record.
    let file = job.job_file(2, 1, "[checkpoints]\ninterval = \"1s\"");
    cluster.ask(&["job", "run", &file]).assert_code(0);
    let told = eventually("the slow one is named", || {
        let why = cluster.ask(&["job", "why", "slow"]).assert_code(0).out;
        let mut lines = why.lines().map(str::trim);
        let named = lines.find(|line| line.contains("operator `map()` of rank "));
        named.map(str::to_owned)
    });
    assert!(told.contains(" % of the time"), "{told}");
}

#[test]
fn a_stream_job_comes_out_right_under_random_faults() {
    let seed = number("STREAM_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let faults = number("STREAM_FAULTS").map_or(FAULTS, |n| usize::try_from(n).unwrap());
    eprintln!("STREAM_SEED={seed}");
    let mut storm = Storm::new(seed);
    storm.database = Postgres::start(Options::default()).map(Arc::new);
    let mut left = faults;
    let mut round = 0;
    while left > 0 {
        round += 1;
        left = weather(&mut storm, round, left);
        eprintln!("round {round} came out right; {left} of {faults} faults are left");
    }
    eprintln!("{faults} faults in {round} rounds: {:?}", storm.struck);
}

fn weather(storm: &mut Storm, round: usize, left: usize) -> usize {
    let name = format!("stream-{round}");
    let seed = storm.draw(1_000_000);
    let database = storm.database.clone();
    let job = Streaming::new(storm.place.path(&name), &name, RECORDS, seed);
    let job = job.with_rows(database.as_deref());
    storm.calm();
    let file = job.job_file(4, PACE, OFTEN);
    let run: Value = storm.ask(&["job", "run", &file]).assert_code(0).json();
    let left = to_its_end(storm, &name, run["id"].as_str().unwrap(), left);
    let view = storm.show(&name);
    eprintln!("{name} in attempt {}", view["attempt"]);
    job.assert_right();
    left
}
