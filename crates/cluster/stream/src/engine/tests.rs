//! The engine by itself: sources and sinks of memory, and a test that plays the runtime.

mod flow;
mod room;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use timely::communication::allocator::ProcessBuilder;

use super::{Plan, Seat, Wiring, work};
use crate::api::Job;
use crate::meta::SourceMeta;
use crate::orders::{Blocks, Order, Report, Restored, Snapshot, Whole};
use crate::room::{MOST_ON_THE_WAY, Room};
use crate::{
    At, Batch, BoxError, Found, Read, Reader, Sink, Source, Staged, Timestamp, Waker, Writer,
};

/// Numbers, in splits of a hundred.
struct Numbers {
    to: u64,
    /// What each is said to take.
    bytes: usize,
}

struct NumbersReader {
    to: u64,
    bytes: usize,
    at: BTreeMap<String, u64>,
}

impl Source for Numbers {
    type Record = u64;
    type Reader = NumbersReader;

    fn open(&self, _: &At, positions: BTreeMap<String, Value>) -> Result<NumbersReader, BoxError> {
        let at = positions
            .into_iter()
            .map(|(name, at)| (name, at.as_u64().unwrap()));
        Ok(NumbersReader {
            to: self.to,
            bytes: self.bytes,
            at: at.collect(),
        })
    }
}

impl Reader for NumbersReader {
    type Record = u64;

    fn discover(&mut self) -> Result<Found, BoxError> {
        Ok(Found {
            splits: (0..self.to / 100).map(|split| split.to_string()).collect(),
            is_complete: true,
        })
    }

    fn read(&mut self, split: &str, batch: &mut Batch<u64>) -> Result<Read, BoxError> {
        let first: u64 = split.parse::<u64>()? * 100;
        let at = self.at.entry(split.to_owned()).or_insert(0);
        for number in *at..(*at + 10).min(100) {
            batch.push(first + number, self.bytes);
        }
        *at += 10;
        Ok(if *at >= 100 { Read::Ended } else { Read::More })
    }

    fn position(&self, split: &str) -> Value {
        self.at.get(split).copied().unwrap_or(0).into()
    }
}

/// What was published, in this process.
#[derive(Clone, Default)]
struct Shelf {
    published: Arc<Mutex<Vec<(u64, u64)>>>,
    /// It says that it has too much in memory, from the first record to the first commit.
    is_heavy: bool,
}

struct ShelfWriter {
    shelf: Shelf,
    open: Vec<(u64, u64)>,
    staged: Vec<(u64, Vec<(u64, u64)>)>,
}

impl Sink<(u64, u64)> for Shelf {
    type Writer = ShelfWriter;

    fn open(&self, _: &At, _: Vec<Staged>) -> Result<ShelfWriter, BoxError> {
        Ok(ShelfWriter {
            shelf: self.clone(),
            open: Vec::new(),
            staged: Vec::new(),
        })
    }
}

impl Writer<(u64, u64)> for ShelfWriter {
    fn write(&mut self, mut records: Vec<(u64, u64)>) -> Result<(), BoxError> {
        self.open.append(&mut records);
        Ok(())
    }

    fn stage(&mut self, number: u64) -> Result<Vec<Staged>, BoxError> {
        self.staged.push((number, std::mem::take(&mut self.open)));
        Ok(Vec::new())
    }

    fn stage_last(&mut self) -> Result<Vec<Staged>, BoxError> {
        self.stage(0)
    }

    fn held_bytes(&self) -> usize {
        let is_held = !self.open.is_empty() || !self.staged.is_empty();
        usize::from(self.shelf.is_heavy && is_held) * super::sink::MOST_HELD
    }

    fn commit(&mut self, number: u64) -> Result<(), BoxError> {
        let mut published = self.shelf.published.lock().unwrap();
        self.staged.retain_mut(|(from, records)| {
            let is_due = *from <= number;
            if is_due {
                published.append(records);
            }
            !is_due
        });
        Ok(())
    }
}

/// Plays the runtime of some ranks, which are threads.
struct Gang {
    orders: Vec<(Sender<Order>, std::thread::Thread)>,
    reports: Vec<Receiver<Report>>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Gang {
    fn start(
        tasks: u32,
        restored: impl Fn() -> Restored,
        build: impl Fn(&Job<'_>) + Clone + Send + 'static,
    ) -> Self {
        Self::start_with_room(MOST_ON_THE_WAY, tasks, restored, build)
    }

    /// With room for so many bytes of state in reports.
    fn start_with_room(
        most: usize,
        tasks: u32,
        restored: impl Fn() -> Restored,
        build: impl Fn(&Job<'_>) + Clone + Send + 'static,
    ) -> Self {
        let wirings = match tasks {
            1 => vec![Wiring::Alone],
            _ => ProcessBuilder::new_bytes_vector(
                tasks as usize,
                timely::communication::Hooks::default().refill,
                None,
            )
            .into_iter()
            .map(Wiring::Threads)
            .collect(),
        };
        let mut gang = Gang {
            orders: Vec::new(),
            reports: Vec::new(),
            threads: Vec::new(),
        };
        for (rank, wiring) in wirings.into_iter().enumerate() {
            let (order, orders) = channel();
            let (report, reports) = channel();
            let build = build.clone();
            let restored = restored();
            let thread = std::thread::spawn(move || {
                let this = std::thread::current();
                let at = At {
                    name: String::new(),
                    job: "test".to_owned(),
                    attempt: 1,
                    rank: u32::try_from(rank).unwrap(),
                    tasks,
                    waker: Waker::new(move || this.unpark()),
                };
                let plan = Plan::of(&build).unwrap();
                let opened = plan.open(&at, restored).unwrap();
                let room = Room::new(most, at.waker.clone());
                let seat = Seat {
                    at,
                    orders,
                    reports: report,
                    room,
                };
                work(wiring, &build, opened, seat).unwrap();
            });
            gang.orders.push((order, thread.thread().clone()));
            gang.reports.push(reports);
            gang.threads.push(thread);
        }
        gang
    }

    fn order(&self, order: impl Fn() -> Order) {
        for (orders, thread) in &self.orders {
            orders.send(order()).unwrap();
            thread.unpark();
        }
    }

    /// Waits until all ranks have this snapshot whole. `None` if one has the last one instead.
    fn whole(&self, wanted: Snapshot) -> Option<Vec<(Whole, Vec<incumbent_state::Block>)>> {
        let mut all = Vec::new();
        for reports in &self.reports {
            let mut blocks = Vec::new();
            loop {
                match reports.recv_timeout(Duration::from_secs(60)).unwrap() {
                    Report::Block(snapshot, block, _) if snapshot == wanted => blocks.push(block),
                    Report::Whole(snapshot, whole) if snapshot == wanted => {
                        all.push((whole, blocks));
                        break;
                    }
                    Report::Whole(Snapshot::Last, _) => return None,
                    _ => {}
                }
            }
        }
        Some(all)
    }

    fn stop(self) {
        self.order(|| Order::Stop);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

/// Counts numbers by their remainder, and counts those counts again by their parity.
fn job(to: u64, shelf: Shelf) -> impl Fn(&Job<'_>) + Clone + Send {
    move |job: &Job<'_>| {
        job.source("numbers", Numbers { to, bytes: 8 })
            .event_time(|number| Timestamp(*number as i64), Duration::ZERO)
            .key_by(|number| number % 7)
            .state("by-seven", |key, _, count: &mut u64, out| {
                *count += 1;
                out.give((*key, *count));
            })
            .key_by(|(seven, _)| seven % 2)
            .state("by-parity", |key, _, count: &mut u64, out| {
                *count += 1;
                out.give((*key, *count));
            })
            .sink("shelf", shelf.clone());
    }
}

fn restored_of(number: u64, parts: &[(Whole, Vec<incumbent_state::Block>)]) -> Restored {
    let mut restored = Restored {
        number,
        ..Restored::default()
    };
    let mut all_blocks = Vec::new();
    for (whole, blocks) in parts {
        for (name, meta) in &whole.sources {
            let all: &mut SourceMeta = restored.sources.entry(name.clone()).or_default();
            all.splits.extend(meta.splits.clone());
        }
        restored.states.extend(whole.states.clone());
        all_blocks.extend(blocks.iter().cloned());
    }
    restored.blocks = Blocks::new(all_blocks.into_iter().map(Ok));
    restored
}

fn expect_counts(mut published: Vec<(u64, u64)>, to: u64) {
    published.sort_unstable();
    let odd: u64 = (0..to).filter(|number| number % 7 % 2 == 1).count() as u64;
    let mut expected: Vec<_> = (1..=to - odd).map(|count| (0, count)).collect();
    expected.extend((1..=odd).map(|count| (1, count)));
    assert_eq!(published, expected);
}

#[test]
fn a_job_runs_to_the_end_of_its_input() {
    for tasks in [1, 2, 3] {
        let shelf = Shelf::default();
        let gang = Gang::start(tasks, Restored::default, job(1_000, shelf.clone()));
        gang.whole(Snapshot::Last).unwrap();
        gang.order(|| Order::Committed { number: 1 });
        gang.stop();
        expect_counts(shelf.published.lock().unwrap().clone(), 1_000);
    }
}

#[test]
fn a_job_goes_on_from_a_snapshot_with_another_number_of_tasks() {
    let shelf = Shelf::default();
    let gang = Gang::start(2, Restored::default, job(100_000, shelf.clone()));
    let mut last = None;
    for number in 1..=3 {
        gang.order(|| Order::Checkpoint { number });
        if let Some(parts) = gang.whole(Snapshot::Checkpoint(number)) {
            gang.order(|| Order::Committed { number });
            last = Some((number, parts));
        }
    }
    gang.stop();
    let (number, parts) = last.expect("a hundred thousand numbers take longer than a checkpoint");
    // The attempt that was stopped has published what was committed and nothing else; as blocks
    // of other ranks are not sorted out here, one task takes all.
    let gang = Gang::start(
        1,
        || restored_of(number, &parts),
        job(100_000, shelf.clone()),
    );
    gang.whole(Snapshot::Last).unwrap();
    gang.order(|| Order::Committed { number: number + 1 });
    gang.stop();
    expect_counts(shelf.published.lock().unwrap().clone(), 100_000);
}

#[test]
fn a_rank_that_has_ended_holds_no_other_up() {
    // One split, so one rank of three has something, and each batch fills the window.
    let shelf = Shelf::default();
    let to_shelf = shelf.clone();
    let describe = move |job: &Job<'_>| {
        let numbers = Numbers {
            to: 100,
            bytes: 1 << 20,
        };
        (job.source("numbers", numbers))
            .map(|number| (number % 2, number))
            .sink("shelf", to_shelf.clone());
    };
    let gang = Gang::start(3, Restored::default, describe);
    gang.whole(Snapshot::Last).unwrap();
    gang.order(|| Order::Committed { number: 1 });
    gang.stop();
    assert_eq!(shelf.published.lock().unwrap().len(), 100);
}

#[test]
fn a_sink_that_is_full_at_the_end_of_the_input_takes_what_is_left() {
    let shelf = Shelf {
        is_heavy: true,
        ..Shelf::default()
    };
    let to_shelf = shelf.clone();
    let describe = move |job: &Job<'_>| {
        let numbers = job
            .source("numbers", Numbers { to: 300, bytes: 8 })
            .event_time(|number| Timestamp(*number as i64), Duration::ZERO);
        // It fires when all has ended, and the sink is full by then.
        let counts = numbers
            .key_by(|number| number % 2)
            .window("counts", crate::Tumbling::hours(1))
            .count()
            .map(|counted| (counted.key, counted.value));
        (numbers.map(|number| (number, number)))
            .union(&counts)
            .sink("shelf", to_shelf.clone());
    };
    let gang = Gang::start(1, Restored::default, describe);
    gang.whole(Snapshot::Last).unwrap();
    gang.order(|| Order::Committed { number: 1 });
    gang.stop();
    assert_eq!(shelf.published.lock().unwrap().len(), 302);
}
