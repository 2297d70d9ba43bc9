//! What a gate lets through, and when.

use super::{Gate, Mark, Marks, Step, Time};
use crate::Timestamp;

fn gate() -> Gate<&'static str> {
    Gate::new(0, Marks::new(1, Timestamp::MIN))
}

fn at(round: u64, tick: u64) -> Time {
    Time(Time::begin(round).0 + tick)
}

fn tell(gate: &mut Gate<&'static str>, time: Time, millis: i64) {
    gate.marks().say(time, 0, 0, Mark::At(Timestamp(millis)));
}

/// All steps up to this frontier.
fn steps(gate: &mut Gate<&'static str>, frontier: Option<Time>) -> Vec<String> {
    gate.frontier(frontier);
    let steps = std::iter::from_fn(|| gate.next());
    let steps = steps.map(|step| match step {
        Step::Watermark(time, to) => {
            let (round, tick) = (time.round(), time.0 - Time::begin(time.round()).0);
            format!("watermark {} of {round}.{tick}", to.0)
        }
        Step::Snapshot(number) => format!("snapshot {number}"),
        Step::Apply(batch) => batch.to_owned(),
    });
    steps.collect()
}

#[test]
fn a_batch_of_the_present_round_is_applied_at_once_and_a_later_one_is_kept() {
    let mut gate = gate();
    assert_eq!(gate.batch(at(0, 9), "now"), Some("now"));
    assert_eq!(gate.batch(at(1, 0), "later"), None);
    assert!(gate.is_keeping());
    assert_eq!(steps(&mut gate, Some(at(0, 10))), [""; 0]);
    assert_eq!(steps(&mut gate, Some(at(1, 0))), ["later"]);
    assert!(!gate.is_keeping());
    assert_eq!(gate.batch(at(1, 0), "now"), Some("now"));
}

#[test]
fn the_snapshot_is_taken_between_the_rounds_after_the_watermarks_of_the_earlier() {
    let mut gate = gate();
    gate.asked(1);
    gate.batch(at(1, 4), "kept");
    tell(&mut gate, at(0, 3), 10);
    tell(&mut gate, at(0, 5), 20);
    tell(&mut gate, at(1, 1), 30);
    assert_eq!(steps(&mut gate, Some(at(0, 4))), ["watermark 10 of 0.3"]);
    let expected = [
        "watermark 20 of 0.5",
        "snapshot 1",
        "kept",
        "watermark 30 of 1.1",
    ];
    assert_eq!(steps(&mut gate, Some(at(1, 2))), expected);
}

#[test]
fn a_frontier_that_passes_several_rounds_at_once_misses_none() {
    let mut gate = gate();
    gate.asked(5);
    gate.batch(at(7, 0), "seven");
    gate.batch(at(5, 0), "five");
    gate.batch(at(3, 0), "three");
    tell(&mut gate, at(6, 1), 60);
    let expected = [
        "three",
        "snapshot 5",
        "five",
        "watermark 60 of 6.1",
        "seven",
    ];
    assert_eq!(steps(&mut gate, Some(at(9, 0))), expected);
}

#[test]
fn a_snapshot_is_taken_when_the_frontier_jumps_over_its_round() {
    let mut gate = gate();
    gate.asked(5);
    assert_eq!(steps(&mut gate, Some(at(4, 0))), [""; 0]);
    assert_eq!(steps(&mut gate, Some(at(7, 0))), ["snapshot 5"]);
}

#[test]
fn a_checkpoint_that_is_aborted_is_not_taken() {
    let mut gate = gate();
    gate.asked(5);
    gate.asked(7);
    gate.aborted(5);
    assert_eq!(steps(&mut gate, Some(at(7, 0))), ["snapshot 7"]);
    gate.asked(8);
    gate.aborted(8);
    assert_eq!(steps(&mut gate, Some(at(8, 0))), [""; 0]);
    // The frontier has passed it.
    gate.asked(6);
    assert_eq!(steps(&mut gate, Some(at(9, 0))), [""; 0]);
}

#[test]
fn the_end_applies_everything_and_takes_what_was_asked_for_on_the_way() {
    let mut gate = gate();
    gate.asked(1);
    gate.batch(at(1, 0), "one");
    gate.batch(at(2, 0), "two");
    tell(&mut gate, at(2, 1), 9);
    let expected = ["snapshot 1", "one", "two", "watermark 9 of 2.1"];
    assert_eq!(steps(&mut gate, None), expected);
    assert_eq!(steps(&mut gate, None), [""; 0]);
}

#[test]
fn batches_of_one_round_stay_in_order() {
    let mut gate = gate();
    gate.batch(at(1, 0), "first");
    gate.batch(at(1, 0), "second");
    gate.frontier(Some(at(1, 0)));
    assert_eq!(gate.next(), Some(Step::Apply("first")));
    assert_eq!(gate.batch(at(1, 1), "third"), None);
    assert_eq!(steps(&mut gate, Some(at(1, 0))), ["second", "third"]);
}
