//! Processes that end at any call, with and without a loss of power, many times on the same disk.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::life::{History, Life, files};
use super::sim_disk::{Crash, SimDisk};
use crate::error::OpenError;
use crate::files::FileName;

/// The number of worlds. Each has several lives. A failure prints its seed.
const SEEDS: u64 = 1000;
const LIVES: usize = 12;
/// Sets another number of worlds.
const SEEDS_VARIABLE: &str = "INCUMBENT_TEST_SEEDS";
/// Runs one seed.
const SEED_VARIABLE: &str = "INCUMBENT_TEST_SEED";

#[test]
fn acknowledged_entries_survive_whatever_a_crash_leaves_of_the_rest() {
    let (mut lives, mut starts, mut entries) = (0, 0, 0);
    for seed in seeds() {
        let told = std::panic::catch_unwind(|| world(seed));
        let Ok(told) = told else {
            panic!("seed {seed}");
        };
        lives += LIVES;
        starts += told.0;
        entries += told.1;
    }
    // The dice must not be such that nothing ever happens.
    assert!(
        starts > lives / 2 && entries > lives,
        "{starts} starts, {entries} entries, {lives} lives"
    );
}

fn seeds() -> std::ops::Range<u64> {
    let variable = |name| Some(std::env::var(name).ok()?.parse::<u64>().unwrap());
    match variable(SEED_VARIABLE) {
        Some(seed) => seed..seed + 1,
        None => 0..variable(SEEDS_VARIABLE).unwrap_or(SEEDS),
    }
}

/// How many lives began to work, and how many entries were acknowledged.
fn world(seed: u64) -> (usize, usize) {
    let disk = SimDisk::new(seed);
    let mut dice = StdRng::seed_from_u64(seed ^ 0x5eed);
    let mut history = History::default();
    let mut starts = 0;
    for _ in 0..LIVES {
        let most = [20, 60, 300][dice.random_range(0..3_usize)];
        let calls = dice.random_range(0..most);
        disk.crash_after(Some(calls));
        disk.fail_syncs(dice.random_bool(0.3).then_some(20));
        starts += usize::from(live(&disk, &mut dice, &mut history));
        disk.fail_syncs(None);
        let crash = if dice.random_bool(0.5) {
            Crash::Kill
        } else {
            Crash::Power
        };
        disk.crash(crash);
    }
    disk.crash_after(None);
    Life::start(&disk, &mut history).unwrap();
    // The newest snapshot is not needed: the one before and the log hold the same state.
    if history.snapshot > 0 {
        let newest = FileName::Snapshot(history.snapshot);
        files(&disk).remove(newest).unwrap();
        history.snapshot = 0;
        Life::start(&disk, &mut history).unwrap();
    }
    (starts, history.acknowledged)
}

/// Runs one life until it ends with an error. Returns whether it began to work.
fn live(disk: &SimDisk, dice: &mut StdRng, history: &mut History) -> bool {
    let mut life = match Life::start(disk, history) {
        Ok(life) => life,
        // The crash, or a failed sync. A journal can be opened after any crash.
        Err(OpenError::Io { .. }) => return false,
        Err(error) => panic!("{error}"),
    };
    for _ in 0..200 {
        let done = match dice.random_range(0..20) {
            0 => life.snapshot(dice, history),
            1 => life.prepare(),
            _ => life.commit(dice, history),
        };
        if done.is_err() {
            break;
        }
    }
    true
}

/// The same run each time, ended at each of its calls. It writes and removes snapshots, and makes
/// and ends segments.
#[test]
fn a_restart_is_possible_at_every_call_of_a_snapshot() {
    let run = |left: Option<u64>| {
        let disk = SimDisk::new(7);
        let mut dice = StdRng::seed_from_u64(8);
        let mut history = History::default();
        disk.crash_after(left);
        let mut live = || -> Option<()> {
            let mut life = Life::start(&disk, &mut history).ok()?;
            for _ in 0..5 {
                for _ in 0..6 {
                    life.commit(&mut dice, &mut history).ok()?;
                }
                life.prepare().ok()?;
                life.snapshot(&mut dice, &mut history).ok()?;
            }
            Some(())
        };
        let done = live();
        (disk, history, done)
    };
    let (disk, ..) = run(None);
    let calls = disk.calls();
    assert!(calls > 100);
    for left in 0..calls {
        for crash in [Crash::Kill, Crash::Power] {
            let (disk, mut history, done) = run(Some(left));
            assert!(done.is_none());
            disk.crash(crash);
            let mut life = Life::start(&disk, &mut history).unwrap();
            // Nothing else is left: two snapshots, and a log that begins before the older one.
            assert!(life.names().len() <= 10, "{:?}", life.names());
            life.commit(&mut StdRng::seed_from_u64(9), &mut history)
                .unwrap();
            drop(life);
            Life::start(&disk, &mut history).unwrap();
        }
    }
}

#[test]
fn what_is_not_needed_is_removed() {
    let disk = SimDisk::new(1);
    let mut dice = StdRng::seed_from_u64(2);
    let mut history = History::default();
    let mut life = Life::start(&disk, &mut history).unwrap();
    for _ in 0..50 {
        for _ in 0..20 {
            life.commit(&mut dice, &mut history).unwrap();
        }
        life.snapshot(&mut dice, &mut history).unwrap();
    }
    let names = files(&disk).list().unwrap();
    assert!(names.len() < 20, "{names:?}");
}
