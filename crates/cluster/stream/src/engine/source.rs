//! [`SourceRun`]: a source of this rank, driven by the loop of the worker.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;

use super::quiet::Quiet;
use super::report::{Busy, now};
use super::{Control, Told};
use crate::logic::Timed;
use crate::meta::{SourceMeta, SplitMeta};
use crate::rounds::{Mark, Time};
use crate::{At, Batch, Error, Read, Reader, Result, Timestamp};

/// How far a source may be ahead of the slowest operator, in bytes by its own count: more than a
/// network and a pipeline of operators need to be busy, and little beside the state of a job.
const WINDOW: usize = 8 << 20;

/// How much is read for one tick, in bytes. Each tick is a turn of all operators, is told to all
/// ranks, and wakes the threads of sinks and of the other ranks: so it is some hundred records,
/// beside which that costs little. They take a fraction of a millisecond, and fit into the cache of
/// a processor.
const TICK: usize = 128 << 10;

/// After a turn of all operators that took longer than this, a tick is [`SLOW_TICK`]: checkpoints
/// and queries wait for a turn.
const LONG_TURN: Duration = Duration::from_millis(20);

/// How much is read for one tick then, in bytes.
const SLOW_TICK: usize = 32 << 10;

/// How often splits are asked for one tick, at most.
const MOST_READS: usize = 64;

/// How many records one batch of a source that counts no bytes stands for, at least.
const LEAST_BYTES: usize = 16;

/// How often a source that is not complete is asked for new splits, besides when it wakes the
/// worker.
const DISCOVER_EVERY: Duration = Duration::from_millis(500);

pub(crate) type Input<T> = InputHandle<u64, CapacityContainerBuilder<Vec<T>>>;

/// How the time of a record is found, and by how much records may be out of order.
pub(crate) type Extract<T> = Rc<RefCell<Option<(Box<dyn Fn(&T) -> Timestamp>, Duration)>>>;

/// A source, as the loop of the worker sees it.
pub(crate) trait Driver {
    fn name(&self) -> &str;

    /// Reads a batch, if there is one and there is room. Returns whether it did.
    fn step(&mut self, control: &Control) -> Result<bool>;

    /// Moves to this round.
    fn enter(&mut self, round: u64);

    /// Where it is in the time of the dataflow.
    fn time(&self) -> Time;

    /// Goes to this time, if it is later and in the present round.
    fn keep_up(&mut self, ahead: Time);

    /// The splits, with their positions now.
    fn meta(&self) -> SourceMeta;

    /// Nothing more will come of this rank's share.
    fn has_ended(&self) -> bool;

    /// It waits for what is behind it.
    fn is_held_up(&self) -> bool;

    /// All ranks have ended: lets go of the dataflow.
    fn close(&mut self);

    /// Until when it need not be asked, if nothing wakes the worker: `None` if it has ended.
    fn rest(&self) -> Option<Duration>;
}

struct Split {
    latest: Option<Timestamp>,
    /// It had nothing when it was last asked.
    is_waiting: bool,
    /// The step in which that was.
    asked: u64,
    has_ended: bool,
    /// What its reader said of it, if it has ended or is another rank's.
    position: serde_json::Value,
}

struct Outputs<T: Clone + 'static> {
    records: Input<Timed<T>>,
    told: Input<Told>,
}

pub(crate) struct SourceRun<R: Reader<Record: Clone + 'static>> {
    name: String,
    index: u32,
    at: At,
    reader: R,
    /// `None` when all ranks have ended.
    outputs: Option<Outputs<R::Record>>,
    time: Time,
    extract: Extract<R::Record>,
    splits: BTreeMap<String, Split>,
    is_complete: bool,
    discovered: Option<Instant>,
    quiet: Quiet,
    mark: Option<Mark>,
    batch: Batch<R::Record>,
    /// What has been read for this tick.
    ready: Vec<Timed<R::Record>>,
    ready_bytes: usize,
    in_flight: VecDeque<(Time, usize)>,
    bytes_in_flight: usize,
    is_held_up: bool,
    steps: u64,
    /// When records were given last, until the turn that they make is over.
    gave: Option<Instant>,
    /// What is given takes long. So does the first, as far as is known.
    is_slow: bool,
    busy: Rc<Busy>,
}

impl<R: Reader> SourceRun<R>
where
    R::Record: Clone + 'static,
{
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a part of what it drives"
    )]
    pub(crate) fn new(
        control: &Control,
        name: &str,
        index: u32,
        reader: R,
        known: SourceMeta,
        mut records: Input<Timed<R::Record>>,
        mut told: Input<Told>,
        extract: Extract<R::Record>,
    ) -> Self {
        let time = Time::begin(control.round.get());
        records.advance_to(time.0);
        told.advance_to(time.0);
        let mine = known
            .splits
            .into_iter()
            .filter(|(split, _)| control.at.is_mine(split));
        let split = |meta: SplitMeta| Split {
            latest: meta.latest,
            is_waiting: false,
            asked: 0,
            has_ended: meta.has_ended,
            position: meta.position,
        };
        Self {
            name: name.to_owned(),
            index,
            at: control.at.clone(),
            reader,
            outputs: Some(Outputs { records, told }),
            time,
            extract,
            splits: mine.map(|(name, meta)| (name, split(meta))).collect(),
            is_complete: false,
            discovered: None,
            quiet: Quiet::new(now()),
            mark: None,
            batch: Batch::default(),
            ready: Vec::new(),
            ready_bytes: 0,
            in_flight: VecDeque::new(),
            bytes_in_flight: 0,
            is_held_up: false,
            steps: 0,
            gave: None,
            is_slow: true,
            busy: control.busy(name),
        }
    }

    fn discover(&mut self) -> Result<()> {
        let is_due = |at: Instant| at.elapsed() >= DISCOVER_EVERY;
        if self.is_complete || !self.discovered.is_none_or(is_due) {
            return Ok(());
        }
        self.discovered = Some(now());
        let found = (self.reader.discover()).map_err(|cause| self.error(cause))?;
        self.is_complete = found.is_complete;
        for name in found.splits {
            if !self.at.is_mine(&name) {
                continue;
            }
            self.splits.entry(name).or_insert(Split {
                latest: None,
                is_waiting: false,
                asked: 0,
                has_ended: false,
                position: serde_json::Value::Null,
            });
        }
        Ok(())
    }

    /// The split that is furthest behind in event time, of those that may have something.
    fn furthest_behind(&self) -> Option<String> {
        let has_nothing = |split: &Split| split.is_waiting && split.asked == self.steps;
        let live =
            (self.splits.iter()).filter(|(_, split)| !split.has_ended && !has_nothing(split));
        live.min_by_key(|(_, split)| split.latest)
            .map(|(name, _)| name.clone())
    }

    fn read(&mut self, split: &str) -> Result<bool> {
        let read = self.reader.read(split, &mut self.batch);
        let read = read.map_err(|cause| self.error(cause))?;
        let known = self.splits.get_mut(split).expect("it was chosen of them");
        known.is_waiting = read == Read::Waiting;
        known.asked = self.steps;
        match read {
            Read::More | Read::Waiting => {}
            Read::Ended => {
                known.has_ended = true;
                known.position = self.reader.position(split);
            }
        }
        let time = self.batch.time.take();
        known.latest = known.latest.max(time);
        let has_some = !self.batch.is_empty() || time.is_some();
        if has_some {
            self.take(split);
        }
        Ok(has_some || read == Read::Ended)
    }

    /// Takes the batch of this split for this tick.
    fn take(&mut self, split: &str) {
        self.quiet.gave(now());
        self.ready_bytes += self.batch.bytes.max(self.batch.len() * LEAST_BYTES);
        self.batch.bytes = 0;
        self.busy.took(self.batch.len());
        if let Some((time_of, _)) = &*self.extract.borrow() {
            let known = self.splits.get_mut(split).expect("it was read");
            for (time, record) in &mut self.batch.records {
                *time = time_of(record);
                known.latest = known.latest.max(Some(*time));
            }
        }
        self.ready.append(&mut self.batch.records);
    }

    /// Puts what is ready into the dataflow, at this tick.
    fn give(&mut self) {
        let bytes = std::mem::take(&mut self.ready_bytes);
        let next = Vec::with_capacity(self.ready.len());
        let mut ready = std::mem::replace(&mut self.ready, next);
        if let Some(outputs) = &mut self.outputs {
            outputs.records.send_batch(&mut ready);
        }
        self.in_flight.push_back((self.time, bytes));
        self.bytes_in_flight += bytes;
    }

    /// Says what is new of event time at this tick, and goes to the next.
    fn tick(&mut self) {
        if let Some(mark) = self.present_mark()
            && self.mark != Some(mark)
        {
            self.mark = Some(mark);
            if let Some(outputs) = &mut self.outputs {
                outputs.told.send(Told {
                    source: self.index,
                    rank: self.at.rank,
                    mark,
                });
            }
        }
        // If there is none, this tick grows until the next round.
        if let Some(next) = self.time.next() {
            self.advance(next);
        }
    }

    /// `None`: nothing can be said yet.
    fn present_mark(&self) -> Option<Mark> {
        let extract = self.extract.borrow();
        let (_, disorder) = extract.as_ref()?;
        if self.has_ended() {
            return Some(Mark::At(Timestamp::MAX));
        }
        let live = self.splits.values().filter(|split| !split.has_ended);
        let is_quiet = self.discovered.is_some() && self.quiet.is_idle(now());
        let mut times = live.filter(|split| !(is_quiet && split.is_waiting));
        match times.next() {
            None => Some(Mark::Idle),
            Some(first) => {
                let least = times.fold(first.latest, |least, split| least.min(split.latest));
                // What comes at the same millisecond is not late.
                Some(Mark::At(least?.minus(*disorder)))
            }
        }
    }

    fn advance(&mut self, to: Time) {
        self.time = to;
        if let Some(outputs) = &mut self.outputs {
            outputs.records.advance_to(to.0);
            outputs.told.advance_to(to.0);
        }
    }

    fn has_room(&mut self, control: &Control) -> bool {
        while let Some((time, bytes)) = self.in_flight.front()
            && !control.probe.less_equal(&time.0)
        {
            self.bytes_in_flight -= bytes;
            self.in_flight.pop_front();
        }
        self.is_held_up =
            self.bytes_in_flight >= WINDOW || self.time.next().is_none() || control.is_full();
        !self.is_held_up
    }

    fn error(&self, cause: crate::BoxError) -> Error {
        Error::Source {
            name: self.name.clone(),
            cause,
        }
    }
}

impl<R: Reader> Driver for SourceRun<R>
where
    R::Record: Clone + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn step(&mut self, control: &Control) -> Result<bool> {
        let busy = Rc::clone(&self.busy);
        let _working = busy.begin();
        self.steps += 1;
        if let Some(gave) = self.gave.take() {
            self.is_slow = gave.elapsed() >= LONG_TURN;
        }
        self.quiet.asked(now(), self.is_held_up);
        self.discover()?;
        let had_ended = self.has_ended();
        let mut has_read = false;
        if self.has_room(control) {
            let most = if self.is_slow { SLOW_TICK } else { TICK };
            for _ in 0..MOST_READS {
                let Some(split) = self.furthest_behind() else {
                    break;
                };
                has_read |= self.read(&split)?;
                if self.ready_bytes >= most {
                    break;
                }
            }
            if !self.ready.is_empty() {
                self.give();
                self.gave = Some(now());
            }
        }
        let mark = self.present_mark();
        let has_news = mark.is_some() && mark != self.mark;
        if has_read || has_news || had_ended != self.has_ended() {
            self.tick();
        }
        Ok(has_read)
    }

    fn enter(&mut self, round: u64) {
        self.advance(Time::begin(round));
    }

    fn time(&self) -> Time {
        self.time
    }

    fn keep_up(&mut self, ahead: Time) {
        if ahead > self.time && ahead.round() == self.time.round() {
            self.advance(ahead);
        }
    }

    fn meta(&self) -> SourceMeta {
        let meta = |(name, split): (&String, &Split)| {
            let position = match split.has_ended {
                true => split.position.clone(),
                false => self.reader.position(name),
            };
            let meta = SplitMeta {
                position,
                has_ended: split.has_ended,
                latest: split.latest,
            };
            (name.clone(), meta)
        };
        SourceMeta {
            splits: self.splits.iter().map(meta).collect(),
        }
    }

    fn has_ended(&self) -> bool {
        self.is_complete && self.splits.values().all(|split| split.has_ended)
    }

    fn is_held_up(&self) -> bool {
        self.is_held_up
    }

    fn close(&mut self) {
        self.outputs = None;
    }

    fn rest(&self) -> Option<Duration> {
        match self.has_ended() {
            true => None,
            false => Some(DISCOVER_EVERY),
        }
    }
}
