//! Nobody takes the blocks of a snapshot, as if the disk that they go to took no more: what is in
//! memory of it is bounded, and the job lives on.

use super::Gang;
use super::flow::{Feed, PATIENCE, Vat, is_waiting, until};
use crate::api::Job;
use crate::orders::{Order, Report, Restored, Snapshot};

const KEYS: u64 = 1_000;

/// A key takes so much in a snapshot, and there is room for a few of them.
const LARGE: usize = 10_000;
const ROOM: usize = 256 << 10;

const FIRST: Snapshot = Snapshot::Checkpoint(1);

/// Ranks that have all keys, and are asked for a checkpoint.
fn start(tasks: u32, feed: Feed) -> (Feed, Vat, Gang) {
    let vat = Vat::default();
    let (from, to) = (feed.clone(), vat.clone());
    let describe = move |job: &Job<'_>| {
        job.source("numbers", from.clone())
            .key_by(|number| number % KEYS)
            .state("large", |_, number, kept: &mut String, out| {
                if kept.is_empty() {
                    *kept = "x".repeat(LARGE);
                }
                out.give(number);
            })
            .sink("vat", to.clone());
    };
    let gang = Gang::start_with_room(ROOM, tasks, Restored::default, describe);
    feed.give(0..KEYS);
    until("all is written", || vat.all().len() as u64 == KEYS);
    gang.order(|| Order::Checkpoint { number: 1 });
    (feed, vat, gang)
}

fn bytes(reports: &[Report]) -> usize {
    let of = |report: &Report| match report {
        Report::Block(_, block, _) => block.bytes.len(),
        _ => 0,
    };
    reports.iter().map(of).sum()
}

/// What a rank reports until this is so. Blocks keep their room.
fn kept_until(gang: &Gang, rank: usize, is_so: impl Fn(&[Report]) -> bool) -> Vec<Report> {
    let mut kept = Vec::new();
    while !is_so(&kept) {
        kept.push(gang.reports[rank].recv_timeout(PATIENCE).unwrap());
    }
    kept
}

#[test]
fn a_snapshot_without_room_waits_and_records_go_on_until_as_much_has_changed() {
    for is_aborted in [false, true] {
        let (feed, vat, gang) = start(1, Feed::large(1_000));
        let mut kept = kept_until(&gang, 0, |kept| bytes(kept) >= ROOM);
        // The worker goes around many times.
        feed.give([1, 2, 3]);
        let written = || vat.all().len() as u64;
        until("records go on", || written() == KEYS + 3);
        kept.extend(gang.reports[0].try_iter());
        assert!(bytes(&kept) < 2 * ROOM, "{}", bytes(&kept));

        feed.give(0..KEYS);
        let is_held_up = |kept: &[Report]| kept.iter().any(is_waiting);
        kept.extend(kept_until(&gang, 0, is_held_up));
        assert!(bytes(&kept) < 2 * ROOM, "{}", bytes(&kept));
        assert!(feed.left() > 0, "sources wait");
        match is_aborted {
            true => gang.order(|| Order::Aborted { number: 1 }),
            false => {
                drop(kept);
                gang.whole(FIRST).unwrap();
            }
        }
        until("records go on again", || written() == 2 * KEYS + 3);
        gang.stop();
    }
}

#[test]
fn sources_of_other_ranks_wait_for_a_snapshot_that_has_no_room_too() {
    // With as many records in flight as a source may have, there are few of them.
    let (feed, vat, gang) = start(2, Feed::large(100_000));
    let kept = kept_until(&gang, 1, |kept| bytes(kept) >= ROOM);
    // The snapshot of the rank that has the source is taken, and has room.
    gang.report(
        0,
        |report| matches!(report, Report::Whole(of, _) if *of == FIRST),
    );
    let many = 20 * KEYS;
    feed.give(0..many);
    gang.report(0, is_waiting);
    let mut left = 0;
    while left != feed.left() {
        left = feed.left();
        gang.report(0, |report| matches!(report, Report::Metrics(_)));
    }
    assert!(left > 0, "it has changed all keys of the other rank");
    drop(kept);
    // Nobody takes what comes of it, but it has room now and then.
    until("all is written", || {
        gang.reports[1].try_iter().for_each(drop);
        vat.all().len() as u64 == KEYS + many
    });
    gang.stop();
}
