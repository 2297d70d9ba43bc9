//! The logic of joins, against what they are by definition.

use incumbent_state::hash_key;

use super::Either::{self, Left, Right};
use super::api::Sides;
use super::pairs::{Bounds, Paired, Pairs};
use crate::Timestamp;
use crate::logic::{Keyed, Logic, Timed};
use crate::state::Table;
use crate::testing::{Random, reopened};
use crate::windows::Aggregate;

type Key = u8;
type Pair = (Key, u32, u32);
type Out = Vec<Timed<Paired<Pair, Either<u32, u32>>>>;
/// Pairs with their times, and what was late.
type Given = (Vec<(i64, Pair)>, Vec<Either<u32, u32>>);

fn pair(key: &Key, left: &u32, right: &u32) -> Pair {
    (*key, *left, *right)
}

type Join = Pairs<Key, u32, u32, Pair, fn(&Key, &u32, &u32) -> Pair>;

fn pairs(bounds: Bounds) -> Join {
    Pairs::new(Table::new("join", "join"), bounds, pair, true)
}

fn keyed(key: Key, time: i64, value: Either<u32, u32>) -> Keyed<Key, Either<u32, u32>> {
    Keyed {
        hash: hash_key(&key),
        time: Timestamp(time),
        key,
        value,
    }
}

/// In no order.
fn given(out: Out) -> Given {
    let (mut pairs, mut late) = (Vec::new(), Vec::new());
    for (time, paired) in out {
        match paired {
            Paired::Pair(pair) => pairs.push((time.0, pair)),
            Paired::Late(record) => late.push(record),
        }
    }
    pairs.sort_unstable();
    (pairs, late)
}

/// Random records and watermarks; now and then the logic is replaced by a restored one.
fn compare(seed: u64, bounds: Bounds, (before, after): (i64, i64), lateness: i64) {
    let mut random = Random::new(seed);
    let mut logic = pairs(bounds);
    let mut watermark = i64::MIN;
    let mut now = 0;
    let mut seen: Vec<(Key, i64, Either<u32, u32>)> = Vec::new();
    for number in 0..400_u32 {
        match random.below(10) {
            0..=6 => {
                now += random.below(4) as i64;
                let time = now - random.below(25) as i64 + 5;
                let key = random.below(3) as Key;
                let value = match random.below(2) {
                    0 => Left(number),
                    _ => Right(number),
                };
                let mut out = Vec::new();
                logic.record(keyed(key, time, value), &mut out);
                if time + lateness < watermark {
                    assert_eq!(given(out), (vec![], vec![value]), "{number}, seed {seed}");
                    continue;
                }
                let partner = |(other, at, with): &(Key, i64, Either<u32, u32>)| {
                    let (left, right, distance) = match (value, *with) {
                        (Left(left), Right(right)) => (left, right, at - time),
                        (Right(right), Left(left)) => (left, right, time - at),
                        _ => return None,
                    };
                    let belongs = *other == key && -before <= distance && distance <= after;
                    belongs.then_some((time.max(*at), (key, left, right)))
                };
                let mut wanted: Vec<_> = seen.iter().filter_map(partner).collect();
                wanted.sort_unstable();
                assert_eq!(given(out), (wanted, vec![]), "{number}, seed {seed}");
                seen.push((key, time, value));
            }
            7 | 8 => {
                let to = now - random.below(20) as i64;
                if to > watermark {
                    watermark = to;
                    let mut out = Vec::new();
                    while !logic.watermark(Timestamp(to), &mut out) {}
                    assert_eq!(out, []);
                }
            }
            _ => logic = reopened(&mut logic, pairs(bounds), Timestamp(watermark)),
        }
    }
    while !logic.watermark(Timestamp::MAX, &mut Vec::new()) {}
    assert_eq!(logic.table().keys(), 0, "nothing is left behind");
}

#[test]
fn records_within_a_distance_are_paired_once_whatever_comes_first() {
    for seed in 0..40 {
        for (before, after, lateness) in [(0, 0, 0), (5, 5, 0), (2, 20, 0), (20, 0, 3), (3, 9, 30)]
        {
            let bounds = Bounds::between(before, after, lateness);
            compare(seed, bounds, (before, after), lateness);
        }
    }
}

#[test]
fn what_nothing_can_belong_to_any_more_is_dropped() {
    let mut logic = pairs(Bounds::between(10, 10, 0));
    let mut out = Vec::new();
    for time in 0..100 {
        logic.record(keyed(1, time, Left(time as u32)), &mut out);
        while !logic.watermark(Timestamp(time), &mut out) {}
    }
    let mut blocks = Vec::new();
    logic.table().begin_snapshot();
    crate::testing::all_blocks(logic.table(), &mut blocks);
    let bytes: usize = blocks.iter().map(|block| block.bytes.len()).sum();
    let held = 12; // of {"time": …, "value": …}
    assert!(
        bytes < 16 * held + 40,
        "{bytes} bytes for the last ten records"
    );
    while !logic.watermark(Timestamp(112), &mut out) {}
    assert_eq!(logic.table().keys(), 0);
}

#[test]
fn a_join_for_ever_needs_no_time_and_drops_nothing() {
    let mut logic = pairs(Bounds::Always);
    let none = Timestamp::MIN.0;
    let mut out = Vec::new();
    logic.record(keyed(1, none, Left(1)), &mut out);
    while !logic.watermark(Timestamp::MAX, &mut out) {}
    logic.record(keyed(1, none, Right(2)), &mut out);
    logic.record(keyed(2, none, Right(3)), &mut out);
    logic.record(keyed(1, none, Left(4)), &mut out);
    let wanted = vec![(none, (1, 1, 2)), (none, (1, 4, 2))];
    assert_eq!(given(out), (wanted, vec![]));
}

#[test]
fn a_window_has_the_records_of_both_sides() {
    let mut acc = Sides.create();
    for record in [Left('a'), Right(1), Left('b')] {
        Sides.add(&mut acc, record);
    }
    let mut other = Sides.create();
    Sides.add(&mut other, Right(2));
    Sides.merge(&mut acc, &other);
    let both = Sides.result(acc);
    assert_eq!((both.left, both.right), (vec!['a', 'b'], vec![1, 2]));
}
