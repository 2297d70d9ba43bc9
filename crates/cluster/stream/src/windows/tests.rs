//! The logics of windows, against what windows are by definition.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use incumbent_state::hash_key;

use super::aggregate::{Collect, Count, Fold, Reduce, Sum};
use super::grid::Grid;
use super::panes::Panes;
use super::sessions::Sessions;
use super::{Aggregate, Fired, Window, Windowed};
use crate::Timestamp;
use crate::logic::{Keyed, Logic, Timed};
use crate::state::Table;
use crate::testing::{Random, reopened};

type Key = u8;
/// A key, the start and the end of a window, and its numbers in order.
type Result = (Key, i64, i64, Vec<u32>);

/// What a step puts out, in no order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Given {
    results: Vec<Result>,
    late: Vec<u32>,
}

impl Given {
    fn sorted(mut self) -> Self {
        self.results.sort_unstable();
        self.late.sort_unstable();
        self
    }
}

/// The windows of a model: for each key its windows, with their numbers.
trait Model {
    fn record(&mut self, key: Key, time: i64, number: u32, watermark: i64) -> Given;
    fn watermark(&mut self, from: i64, to: i64) -> Given;
}

struct FixedModel {
    size: i64,
    every: i64,
    offset: i64,
    lateness: i64,
    windows: BTreeMap<(Key, i64), Vec<u32>>,
}

impl Model for FixedModel {
    fn record(&mut self, key: Key, time: i64, number: u32, watermark: i64) -> Given {
        let mut given = Given::default();
        let starts = (time - self.size + 1..=time)
            .filter(|start| (start - self.offset).rem_euclid(self.every) == 0)
            .filter(|start| start + self.size + self.lateness > watermark)
            .collect::<Vec<_>>();
        if starts.is_empty() {
            given.late.push(number);
        }
        for start in starts {
            let numbers = self.windows.entry((key, start)).or_default();
            numbers.push(number);
            numbers.sort_unstable();
            let end = start + self.size;
            if end <= watermark {
                given.results.push((key, start, end, numbers.clone()));
            }
        }
        given
    }

    fn watermark(&mut self, from: i64, to: i64) -> Given {
        let mut given = Given::default();
        let (size, lateness) = (self.size, self.lateness);
        self.windows.retain(|(key, start), numbers| {
            let end = start + size;
            if from < end && end <= to {
                given.results.push((*key, *start, end, numbers.clone()));
            }
            end + lateness > to
        });
        given
    }
}

struct SessionModel {
    /// What a job that goes on from a checkpoint has may be another one.
    gap: Rc<Cell<i64>>,
    lateness: i64,
    /// Key, start, end, numbers.
    sessions: Vec<Result>,
}

impl Model for SessionModel {
    fn record(&mut self, key: Key, time: i64, number: u32, watermark: i64) -> Given {
        let mut given = Given::default();
        let end = time + self.gap.get();
        let mut new = (key, time, end, vec![number]);
        let touches = |one: &Result| one.0 == key && one.1 <= end && time <= one.2;
        let (joined, others) = self.sessions.drain(..).partition(touches);
        self.sessions = others;
        for (_, start, end, numbers) in joined {
            new.1 = new.1.min(start);
            new.2 = new.2.max(end);
            new.3.extend(numbers);
            new.3.sort_unstable();
        }
        if new.2 + self.lateness <= watermark {
            given.late.push(number);
            return given;
        }
        if new.2 <= watermark {
            given.results.push(new.clone());
        }
        self.sessions.push(new);
        given
    }

    fn watermark(&mut self, from: i64, to: i64) -> Given {
        let mut given = Given::default();
        let lateness = self.lateness;
        self.sessions.retain(|session| {
            if from < session.2 && session.2 <= to {
                given.results.push(session.clone());
            }
            session.2 + lateness > to
        });
        given
    }
}

type Out = Vec<Timed<Fired<Key, Vec<u32>, u32>>>;

fn given(out: Out) -> Given {
    let mut given = Given::default();
    for (time, fired) in out {
        match fired {
            Fired::Late(number) => given.late.push(number),
            Fired::Result(Windowed { key, window, value }) => {
                assert_eq!(time, window.last(), "a result has the window's last time");
                let mut value = value;
                value.sort_unstable();
                let Window { start, end } = window;
                given.results.push((key, start.0, end.0, value));
            }
        }
    }
    given.sorted()
}

fn keyed<T>(key: Key, time: i64, value: T) -> Keyed<Key, T> {
    Keyed {
        hash: hash_key(&key),
        time: Timestamp(time),
        key,
        value,
    }
}

/// Gives random records and watermarks to a logic and a model. Now and then the logic is replaced
/// by a new one that is restored from a snapshot of it.
fn compare<L>(seed: u64, mut model: impl Model, new: impl Fn() -> L)
where
    L: Logic<Key = Key, Value = u32, Out = Fired<Key, Vec<u32>, u32>>,
{
    let mut random = Random::new(seed);
    let mut logic = new();
    let mut watermark = i64::MIN;
    let mut now = random.below(50) as i64 - 25;
    for number in 0..400_u32 {
        match random.below(10) {
            0..=6 => {
                now += random.below(4) as i64;
                let time = now - random.below(25) as i64 + 5;
                let key = random.below(4) as Key;
                let mut out = Vec::new();
                logic.record(keyed(key, time, number), &mut out);
                let wanted = model.record(key, time, number, watermark).sorted();
                assert_eq!(given(out), wanted, "record {number} at {time}, seed {seed}");
            }
            7 | 8 => {
                let to = match random.below(20) {
                    0 => now + random.below(60) as i64,
                    _ => now - random.below(20) as i64,
                };
                if to <= watermark {
                    continue;
                }
                let mut out = Vec::new();
                while !logic.watermark(Timestamp(to), &mut out) {}
                let wanted = model.watermark(watermark, to).sorted();
                assert_eq!(given(out), wanted, "watermark {to}, seed {seed}");
                watermark = to;
            }
            _ => logic = reopened(&mut logic, new(), Timestamp(watermark)),
        }
    }
    let mut out = Vec::new();
    while !logic.watermark(Timestamp::MAX, &mut out) {}
    let wanted = model.watermark(watermark, i64::MAX).sorted();
    assert_eq!(given(out), wanted, "the end, seed {seed}");
    assert_eq!(
        logic.table().keys(),
        0,
        "nothing is left behind, seed {seed}"
    );
}

/// Size, interval, offset.
const SHAPES: [(i64, i64, i64); 6] = [
    (10, 10, 0),
    (10, 10, 3),
    (10, 5, 0),
    (12, 4, 1),
    (9, 6, 0),
    (10, 3, 2),
];

fn panes<A>(grid: Grid, aggregate: A) -> Panes<Key, u32, A>
where
    A: Aggregate<u32>,
{
    Panes::new(Table::new("window", "window"), grid, aggregate, true)
}

#[test]
fn windows_of_one_length_give_what_their_definition_says() {
    for seed in 0..40 {
        let (size, every, offset) = SHAPES[seed as usize % SHAPES.len()];
        for lateness in [0, 4, 25] {
            let model = || FixedModel {
                size,
                every,
                offset,
                lateness,
                windows: BTreeMap::new(),
            };
            let merging = Grid::new(size, every, offset, lateness, true);
            compare(seed, model(), || panes(merging, Collect));
            let whole = Grid::new(size, every, offset, lateness, false);
            let fold = || Fold {
                init: Vec::new,
                add: |all: &mut Vec<u32>, number| all.push(number),
            };
            compare(seed, model(), || panes(whole, fold()));
        }
    }
}

#[test]
fn sessions_give_what_their_definition_says() {
    for seed in 0..40 {
        for (gap, lateness) in [(3, 0), (5, 0), (5, 4), (2, 30)] {
            let model = SessionModel {
                gap: Rc::new(Cell::new(gap)),
                lateness,
                sessions: Vec::new(),
            };
            compare(seed, model, || {
                let table = Table::new("session", "session");
                Sessions::new(table, gap, lateness, Collect, true)
            });
        }
    }
}

#[test]
fn sessions_that_are_open_keep_their_end_until_a_record_comes_with_another_gap() {
    for seed in 0..40 {
        for lateness in [0, 4, 25] {
            let gap = Rc::new(Cell::new(0));
            let model = SessionModel {
                gap: Rc::clone(&gap),
                lateness,
                sessions: Vec::new(),
            };
            let gaps = Cell::new([5, 2, 9, 3]);
            compare(seed, model, || {
                let mut next = gaps.get();
                gap.set(next[0]);
                next.rotate_left(1);
                gaps.set(next);
                let table = Table::new("session", "session");
                Sessions::new(table, gap.get(), lateness, Collect, true)
            });
        }
    }
}

#[test]
fn sessions_come_out_the_same_in_every_order_of_their_records() {
    let times = [0, 4, 8, 14, 18, 30];
    let mut orders = vec![Vec::new()];
    for _ in times {
        let longer = |order: &Vec<usize>| {
            let order = order.clone();
            (0..times.len())
                .filter(|next| !order.contains(next))
                .map(|next| [order.clone(), vec![next]].concat())
                .collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    assert_eq!(orders.len(), 720);
    for order in orders {
        let table = Table::new("session", "session");
        let mut sessions = Sessions::<Key, u32, _>::new(table, 4, 0, Collect, false);
        let mut out = Vec::new();
        for at in &order {
            sessions.record(keyed(1, times[*at], times[*at] as u32), &mut out);
        }
        while !sessions.watermark(Timestamp::MAX, &mut out) {}
        let wanted = vec![
            (1, 0, 12, vec![0, 4, 8]),
            (1, 14, 22, vec![14, 18]),
            (1, 30, 34, vec![30]),
        ];
        assert_eq!(given(out).results, wanted, "{order:?}");
    }
}

#[test]
fn a_late_record_that_touches_a_session_that_is_open_saves_itself_and_others() {
    let table = Table::new("session", "session");
    let mut sessions = Sessions::<Key, u32, _>::new(table, 10, 0, Collect, true);
    let mut out = Vec::new();
    sessions.record(keyed(1, 20, 20), &mut out);
    while !sessions.watermark(Timestamp(25), &mut out) {}
    // By itself it would be gone since 21.
    sessions.record(keyed(1, 11, 11), &mut out);
    sessions.record(keyed(1, 0, 0), &mut out);
    assert_eq!(given(std::mem::take(&mut out)).late, [0]);
    sessions.record(keyed(1, 1, 1), &mut out);
    while !sessions.watermark(Timestamp(30), &mut out) {}
    assert_eq!(given(out).results, [(1, 1, 30, vec![1, 11, 20])]);
}

#[test]
fn late_records_are_dropped_if_nobody_asks_for_them() {
    let grid = Grid::new(10, 10, 0, 0, true);
    let table = Table::new("window", "window");
    let mut windows = Panes::<Key, u32, _>::new(table, grid, Collect, false);
    let mut out = Vec::new();
    while !windows.watermark(Timestamp(10), &mut out) {}
    windows.record(keyed(1, 9, 0), &mut out);
    assert_eq!(out, []);
    assert_eq!(windows.table().keys(), 0);
}

#[test]
fn a_watermark_is_worked_on_in_slices_and_records_may_come_between() {
    let grid = Grid::new(10, 10, 0, 0, true);
    let table = Table::new("window", "window");
    let mut windows = Panes::<u32, u32, _>::new(table, grid, Count, true);
    let record = |key: u32, time| Keyed {
        hash: hash_key(&key),
        time: Timestamp(time),
        key,
        value: 0,
    };
    let mut out = Vec::new();
    for key in 0..5_000 {
        windows.record(record(key, 5), &mut out);
    }
    assert!(!windows.watermark(Timestamp(10), &mut out));
    assert!(out.len() < 5_000 && !out.is_empty());
    for key in 0..5_000 {
        windows.record(record(key, 15), &mut out);
        windows.record(record(key, 5), &mut Vec::new());
    }
    while !windows.watermark(Timestamp(10), &mut out) {}
    assert_eq!(out.len(), 5_000);
    while !windows.watermark(Timestamp(20), &mut out) {}
    assert_eq!(out.len(), 10_000);
    let counts = out.iter().map(|(_, fired)| match fired {
        Fired::Result(windowed) => windowed.value,
        Fired::Late(_) => 0,
    });
    assert!(counts.clone().all(|count| count == 1), "{counts:?}");
}

#[test]
fn aggregates_of_parts_are_aggregates_of_the_whole() {
    fn both<A: Aggregate<u32>>(aggregate: &A, cut: usize, numbers: &[u32]) -> A::Result {
        let part = |numbers: &[u32]| {
            let mut acc = aggregate.create();
            numbers
                .iter()
                .for_each(|number| aggregate.add(&mut acc, *number));
            acc
        };
        let mut acc = part(&numbers[..cut]);
        aggregate.merge(&mut acc, &part(&numbers[cut..]));
        aggregate.result(acc)
    }
    let numbers = [3, 9, 1, 9, 4];
    for cut in 0..=numbers.len() {
        assert_eq!(both(&Count, cut, &numbers), 5);
        assert_eq!(
            both(&Sum::new(|number: &u32| u64::from(*number)), cut, &numbers),
            26
        );
        assert_eq!(both(&Reduce(u32::max), cut, &numbers), 9);
        assert_eq!(both(&Collect, cut, &numbers), numbers);
    }
}
