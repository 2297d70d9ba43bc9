//! What is full, and checkpoints that do not reach all ranks: with a source that a test feeds, and
//! a sink that has as much in memory as a test says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::super::report::now;
use super::super::sink::MOST_HELD;
use super::Gang;
use crate::api::Job;
use crate::orders::{Order, Report, Restored, Snapshot};
use crate::{At, Batch, BoxError, Found, Read, Reader, Sink, Source, Staged, Waker, Writer};

/// A source with one split, on rank 0.
#[derive(Clone, Default)]
pub(super) struct Feed(Arc<Given>);

#[derive(Default)]
struct Given {
    numbers: Mutex<VecDeque<u64>>,
    has_ended: AtomicBool,
    /// What each is said to take, besides 8.
    bytes: AtomicUsize,
    wakers: Mutex<Vec<Waker>>,
}

impl Feed {
    /// Each number is said to take so many bytes.
    pub(super) fn large(bytes: usize) -> Self {
        let feed = Self::default();
        feed.0.bytes.store(bytes, Ordering::Release);
        feed
    }

    pub(super) fn give(&self, numbers: impl IntoIterator<Item = u64>) {
        self.0.numbers.lock().unwrap().extend(numbers);
        self.wake();
    }

    fn end(&self) {
        self.0.has_ended.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        self.0.wakers.lock().unwrap().iter().for_each(Waker::wake);
    }

    /// How many were not read.
    pub(super) fn left(&self) -> usize {
        self.0.numbers.lock().unwrap().len()
    }
}

pub(super) struct FeedReader {
    feed: Feed,
    split: Option<String>,
}

impl Source for Feed {
    type Record = u64;
    type Reader = FeedReader;

    fn open(&self, at: &At, _: BTreeMap<String, Value>) -> Result<FeedReader, BoxError> {
        self.0.wakers.lock().unwrap().push(at.waker.clone());
        let mut names = (0..).map(|name: u64| name.to_string());
        Ok(FeedReader {
            feed: self.clone(),
            split: names.find(|name| at.is_mine(name)).filter(|_| at.rank == 0),
        })
    }
}

impl Reader for FeedReader {
    type Record = u64;

    fn discover(&mut self) -> Result<Found, BoxError> {
        Ok(Found {
            splits: self.split.iter().cloned().collect(),
            is_complete: true,
        })
    }

    fn read(&mut self, _: &str, batch: &mut Batch<u64>) -> Result<Read, BoxError> {
        let bytes = 8 + self.feed.0.bytes.load(Ordering::Acquire);
        let mut numbers = self.feed.0.numbers.lock().unwrap();
        for _ in 0..10 {
            match numbers.pop_front() {
                Some(number) => batch.push(number, bytes),
                None if self.feed.0.has_ended.load(Ordering::Acquire) => return Ok(Read::Ended),
                None => return Ok(Read::Waiting),
            }
        }
        Ok(Read::More)
    }

    fn position(&self, _: &str) -> Value {
        Value::Null
    }
}

/// A sink that remembers what was written, by rank, and is full when a test says so.
#[derive(Clone, Default)]
pub(super) struct Vat {
    written: Arc<[Mutex<Vec<u64>>; 2]>,
    full: Arc<[AtomicBool; 2]>,
}

pub(super) struct VatWriter {
    vat: Vat,
    rank: usize,
}

impl Vat {
    fn fill(&self, rank: usize) {
        self.full[rank].store(true, Ordering::Release);
    }

    fn empty(&self, rank: usize) {
        self.full[rank].store(false, Ordering::Release);
    }

    fn of(&self, rank: usize) -> Vec<u64> {
        self.written[rank].lock().unwrap().clone()
    }

    pub(super) fn all(&self) -> Vec<u64> {
        let mut all = [self.of(0), self.of(1)].concat();
        all.sort_unstable();
        all
    }
}

impl Sink<u64> for Vat {
    type Writer = VatWriter;

    fn open(&self, at: &At, _: Vec<Staged>) -> Result<VatWriter, BoxError> {
        Ok(VatWriter {
            vat: self.clone(),
            rank: at.rank as usize,
        })
    }
}

impl Writer<u64> for VatWriter {
    fn write(&mut self, mut numbers: Vec<u64>) -> Result<(), BoxError> {
        let written = &self.vat.written[self.rank];
        written.lock().unwrap().append(&mut numbers);
        Ok(())
    }

    fn stage(&mut self, _: u64) -> Result<Vec<Staged>, BoxError> {
        Ok(Vec::new())
    }

    fn stage_last(&mut self) -> Result<Vec<Staged>, BoxError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: u64) -> Result<(), BoxError> {
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        let is_full = self.vat.full[self.rank].load(Ordering::Acquire);
        usize::from(is_full) * MOST_HELD
    }
}

/// Each number goes to the rank that owns it, and from there to the sink.
fn start(tasks: u32) -> (Feed, Vat, Gang) {
    let (feed, vat) = (Feed::default(), Vat::default());
    let (from, to) = (feed.clone(), vat.clone());
    let describe = move |job: &Job<'_>| {
        job.source("numbers", from.clone())
            .key_by(|number| *number)
            .state("passes", |number, _, _: &mut u64, out| out.give(*number))
            .sink("vat", to.clone());
    };
    let gang = Gang::start(tasks, Restored::default, describe);
    (feed, vat, gang)
}

impl Gang {
    pub(super) fn order_one(&self, rank: usize, order: Order) {
        let (orders, thread) = &self.orders[rank];
        orders.send(order).unwrap();
        thread.unpark();
    }

    /// Waits for such a report.
    pub(super) fn report(&self, rank: usize, is: impl Fn(&Report) -> bool) -> Report {
        let began = now();
        while began.elapsed() < PATIENCE {
            let report = self.reports[rank].recv_timeout(PATIENCE).unwrap();
            if is(&report) {
                return report;
            }
        }
        panic!("no such report of rank {rank}");
    }
}

pub(super) const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(super) fn until(what: &str, is: impl Fn() -> bool) {
    for _ in 0..PATIENCE.as_millis() / LOOK_EVERY.as_millis() {
        if is() {
            return;
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
    panic!("in vain: {what}");
}

pub(super) fn is_waiting(report: &Report) -> bool {
    let waits = "stream_waits{source=\"numbers\"} 1";
    matches!(report, Report::Metrics(text) if text.contains(waits))
}

#[test]
fn a_sink_that_has_room_again_takes_what_waits_for_it() {
    let (feed, vat, gang) = start(2);
    let numbers = |to: u64| (0..to).collect::<Vec<_>>();
    feed.give(0..64);
    until("all is written", || vat.all() == numbers(64));
    let before = vat.of(1).len();
    vat.fill(1);
    feed.give(64..128);
    // With the first one that is written, it counts as full.
    until("one more is written there", || vat.of(1).len() > before);
    feed.give(128..2_000);
    until("all is read", || feed.left() == 0);
    // Nothing more comes that would wake anybody.
    vat.empty(1);
    until("all is written", || vat.all() == numbers(2_000));
    gang.stop();
}

#[test]
fn sources_stop_while_a_sink_of_their_rank_is_full() {
    let (feed, vat, gang) = start(1);
    vat.fill(0);
    feed.give([0]);
    gang.report(0, is_waiting);
    feed.give(1..100);
    // The worker looks at its sources several times until it reports the next time.
    gang.report(0, |report| matches!(report, Report::Metrics(_)));
    assert_eq!(feed.left(), 99, "read although the sink is full");
    vat.empty(0);
    until("all is written", || vat.all().len() == 100);
    gang.stop();
}

#[test]
fn a_checkpoint_whose_abort_a_rank_has_not_heard_of_is_given_up_at_the_next() {
    let (feed, vat, gang) = start(2);
    feed.give(0..10);
    gang.order_one(0, Order::Checkpoint { number: 1 });
    // The frontier enters both rounds at once, when the other rank moves.
    gang.order_one(0, Order::Checkpoint { number: 2 });
    let wanted = Snapshot::Checkpoint(2);
    let begun = |report: &Report| matches!(report, Report::Begun(begun) if *begun == wanted);
    gang.report(0, begun);
    gang.order_one(1, Order::Checkpoint { number: 2 });
    assert!(gang.whole(wanted).is_some(), "the input has not ended");
    gang.order(|| Order::Committed { number: 2 });
    feed.end();
    // It would wait for the first one to be whole.
    assert!(gang.whole(Snapshot::Last).is_some());
    gang.stop();
    assert_eq!(vat.all().len(), 10);
}

#[test]
fn the_flow_goes_on_when_a_rank_hears_of_the_abort_of_a_number_that_it_was_never_asked_for() {
    let (feed, vat, gang) = start(2);
    gang.order_one(0, Order::Checkpoint { number: 1 });
    let begun = |report: &Report| matches!(report, Report::Begun(Snapshot::Checkpoint(1)));
    gang.report(0, begun);
    // They are of the round that the other rank has not entered.
    feed.give(0..10);
    gang.order(|| Order::Aborted { number: 1 });
    until("all is written", || vat.all().len() == 10);
    gang.stop();
}
