//! The counting job in a storm: its output is the reference, whatever is killed, stopped or
//! rescaled meanwhile.

use serde_json::Value;

use super::counting::Counting;
use super::running::raw;
use super::storm::Storm;

/// How many faults strike in the normal tests. `CLUSTER_FAULTS=1000` is the long run, and
/// `CLUSTER_SEED` draws the same faults again, though not at the same moments.
const FAULTS: usize = 25;

/// Of a hundred draws, how many are a wish of the owner and not a fault.
const WISHES: u64 = 20;

pub(super) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn a_job_that_counts_comes_out_right_under_random_faults() {
    let seed = number("CLUSTER_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let faults = number("CLUSTER_FAULTS").map_or(FAULTS, |n| usize::try_from(n).unwrap());
    eprintln!("CLUSTER_SEED={seed}");
    let mut storm = Storm::new(seed);
    let mut left = faults;
    let mut round = 0;
    while left > 0 {
        round += 1;
        left = weather(&mut storm, round, left);
        eprintln!("round {round} came out right; {left} of {faults} faults are left");
    }
    eprintln!("{faults} faults in {round} rounds: {:?}", storm.struck);
}

/// Runs one job to its end under at most so many faults, and returns how many are left.
fn weather(storm: &mut Storm, round: usize, left: usize) -> usize {
    let counting = Counting::new(&storm.place, round);
    storm.calm();
    let id = counting.submit(storm);
    let name = counting.name();
    let left = to_its_end(storm, name, &id, left);
    counting.assert_right(&storm.show(name));
    left
}

/// Strikes at most so many times until a job has finished, and returns how many are left.
pub(super) fn to_its_end(storm: &mut Storm, name: &str, id: &str, mut left: usize) -> usize {
    loop {
        let view = storm.show(name);
        match view["state"].as_str().unwrap() {
            "finished" => return left,
            "failed" | "canceled" => panic!("{view:#}"),
            "suspended" => resume(storm, id),
            _ if left == 0 => storm.calm(),
            _ if storm.draw(100) < WISHES => wish(storm, id),
            _ => left -= usize::from(storm.strike(name)),
        }
        storm.pause();
        storm.go_on(name, &view);
    }
}

/// What an owner may want, asked once: in a storm the answer may be lost.
fn wish(storm: &mut Storm, id: &str) {
    let tasks = 1 + storm.draw(4);
    let savepoint = format!("{:016x}{:016x}", storm.draw(u64::MAX), storm.draw(u64::MAX));
    match storm.draw(4) {
        0 => desire(
            storm,
            id,
            &serde_json::json!({ "state": "suspended", "savepoint": savepoint }),
        ),
        1 => {
            let path = format!("/v1/jobs/{id}/savepoints/{savepoint}");
            put(storm, &path, "");
        }
        _ => desire(
            storm,
            id,
            &serde_json::json!({ "state": "running", "tasks": tasks }),
        ),
    }
}

fn resume(storm: &mut Storm, id: &str) {
    desire(storm, id, &serde_json::json!({ "state": "running" }));
}

fn desire(storm: &Storm, id: &str, what: &Value) {
    put(storm, &format!("/v1/jobs/{id}/desired"), &what.to_string());
}

fn put(storm: &Storm, path: &str, body: &str) {
    let address = storm.url.strip_prefix("http://").unwrap();
    let host = format!("host: {address}");
    if let Some(answer) = raw(address, "PUT", path, &[&host], body) {
        // Too few slots, another intent, nobody leads: said, and nothing is done.
        let is_said = matches!(answer.status, 200..=202 | 409 | 502..=504);
        assert!(is_said, "{path} {body}: {} {}", answer.status, answer.body);
    }
}
