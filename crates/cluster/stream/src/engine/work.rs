//! [`work`]: the loop of a worker, from the first record to the last snapshot.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use timely::worker::Worker;

use super::gossip::Gossip;
use super::pace::Pace;
use super::report::{now, samples};
use super::sink::Done;
use super::snapshots::Snapshots;
use super::{Control, Opened, Wiring};
use crate::api::Job;
use crate::meta::StateMeta;
use crate::orders::{Order, Query, Report, Snapshot};
use crate::room::Room;
use crate::rounds::{Ending, Saying};
use crate::state::Question;
use crate::{At, Error, Result};

/// How many bytes of state are encoded between two steps of the dataflow: about half a millisecond.
const ENCODE_STEP: usize = 128 << 10;

/// How many keys are looked at for a query between two steps: about half a millisecond.
const ANSWER_STEP: usize = 2_000;

/// How long a worker sleeps if nothing wakes it.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// How often samples are reported.
const SAMPLES_EVERY: Duration = Duration::from_secs(2);

/// What connects a worker to the runtime.
pub(crate) struct Seat {
    pub(crate) at: At,
    pub(crate) orders: Receiver<Order>,
    pub(crate) reports: Sender<Report>,
    /// How much state may be on its way in reports. It wakes this worker.
    pub(crate) room: Room,
}

/// Runs a job on this thread until it is told to stop, or fails. After the end of the input it
/// reports its last snapshot, and goes on to answer and to publish.
///
/// # Errors
///
/// What failed: a source, a sink.
pub(crate) fn work(
    wiring: Wiring,
    build: &dyn Fn(&Job<'_>),
    opened: Opened,
    seat: Seat,
) -> Result<()> {
    let mut worker = wiring.worker();
    let round = opened.round;
    let snapshots = Snapshots::new(seat.reports.clone(), seat.room.clone());
    let control = Rc::new(Control::new(seat.at.clone(), opened, snapshots));
    worker.dataflow::<u64, _, _>(|scope| build(&Job::building(scope, Rc::clone(&control))));
    let sayings = Gossip::new(&mut worker, "ending");
    let pace = Pace::new(&mut worker, seat.at.tasks);
    let ending = Ending::new(seat.at.rank, seat.at.tasks, round);
    let _ = seat.reports.send(Report::Built);
    Loop {
        worker,
        control,
        seat,
        sayings: Some(sayings),
        pace,
        ending,
        phase: Phase::Running,
        sampled: now(),
        questions: VecDeque::new(),
    }
    .run()
}

/// How far a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Sources may have something.
    Running,
    /// All sources of all ranks have ended; what is in flight is worked off.
    Draining,
    /// The last snapshot is under way, or reported.
    Ended,
}

struct Loop {
    worker: Worker,
    control: Rc<Control>,
    seat: Seat,
    /// About the end of the input, until all agree.
    sayings: Option<Gossip<Saying>>,
    pace: Pace,
    ending: Ending,
    phase: Phase,
    sampled: Instant,
    /// Queries that are being answered.
    questions: VecDeque<(Query, Question)>,
}

impl Loop {
    fn run(mut self) -> Result<()> {
        loop {
            loop {
                match self.seat.orders.try_recv() {
                    Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return self.publish(),
                    Ok(order) => self.carry_out(order),
                    Err(TryRecvError::Empty) => break,
                }
            }
            let has_read = self.read()?;
            self.pace.keep(&self.control);
            self.look_at_sinks()?;
            let is_encoding = self.encode()?;
            let is_answering = self.answer();
            self.end();
            self.sample();
            let is_busy = is_encoding || is_answering;
            let rest = match has_read || is_busy {
                true => Duration::ZERO,
                false => self.rest(),
            };
            match self.phase {
                // There is nothing left to step.
                Phase::Ended if !is_busy => std::thread::park_timeout(rest),
                _ => {
                    self.worker.step_or_park(Some(rest));
                }
            }
        }
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Checkpoint { number } => {
                if self.ending.may_enter(number) {
                    self.enter(number);
                }
            }
            Order::Committed { number } => {
                self.control.decided(number);
                for sink in self.control.sinks.borrow().iter() {
                    sink.commit(number);
                }
            }
            Order::Aborted { number } => {
                self.give_up(|each| each <= Snapshot::Checkpoint(number));
                // A rank that was never asked for it goes there all the same: others are there, and
                // would wait for it.
                if self.ending.may_enter(number) {
                    self.move_to(number);
                }
            }
            Order::Query(query) => self.ask(query),
            Order::Stop => {}
        }
    }

    /// All sources of this rank move to a round.
    fn enter(&self, number: u64) {
        let control = &self.control;
        // An earlier one is decided, or it would not be asked for this one; it may not have heard.
        self.give_up(|each| each < Snapshot::Checkpoint(number));
        control.ask(number);
        let snapshot = Snapshot::Checkpoint(number);
        control.snapshots.borrow_mut().begin(snapshot);
        for source in control.sources.borrow().iter() {
            (control.snapshots.borrow_mut()).source(snapshot, source.name(), source.meta());
        }
        self.move_to(number);
    }

    fn move_to(&self, number: u64) {
        self.control.round.set(number);
        for source in self.control.sources.borrow_mut().iter_mut() {
            source.enter(number);
        }
    }

    fn give_up(&self, which: impl Fn(Snapshot) -> bool) {
        let control = &self.control;
        let encoding = control.snapshots.borrow().encoding();
        for (name, snapshot, _) in encoding {
            if which(snapshot) {
                self.with_state(&name, |table| table.give_up_snapshot());
            }
        }
        control.snapshots.borrow_mut().give_up(&which);
        control.abort_all(|number| which(Snapshot::Checkpoint(number)));
    }

    fn read(&self) -> Result<bool> {
        let mut has_read = false;
        if self.phase == Phase::Running {
            for source in self.control.sources.borrow_mut().iter_mut() {
                has_read |= source.step(&self.control)?;
            }
        }
        Ok(has_read)
    }

    fn look_at_sinks(&self) -> Result<()> {
        for sink in self.control.sinks.borrow().iter() {
            while let Some(done) = sink.done() {
                match done {
                    Done::Staged(snapshot, staged) => {
                        let mut snapshots = self.control.snapshots.borrow_mut();
                        snapshots.sink(snapshot, &sink.name, staged);
                    }
                    Done::Committed | Done::Closed => {}
                    Done::Failed(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Encodes some more of what is being snapshotted: of one state, until it is whole, as the
    /// files of a checkpoint are for few ranks each if states come one after the other. Returns
    /// whether it would go on at once: without room, this worker is woken when there is some. Keys
    /// that change meanwhile are encoded before; when that is as much again, sources wait too.
    fn encode(&self) -> Result<bool> {
        let encoding = self.control.snapshots.borrow().encoding();
        let without_room = match self.seat.room.has_room() {
            true => None,
            false => encoding.first().map(|(name, ..)| name.clone()),
        };
        let waits = without_room.is_some();
        *self.control.without_room.borrow_mut() = without_room;
        let is_held_up = waits && self.saved_bytes() >= self.seat.room.most();
        if self.control.is_held_up.replace(is_held_up) != is_held_up {
            match is_held_up {
                true => tracing::warn!(
                    "the disk that files of a checkpoint wait on, or the blobs, are slower than the \
                     state changes; sources wait until the checkpoint has gone on or is aborted"
                ),
                false => tracing::info!("the checkpoint goes on or is aborted; sources go on"),
            }
        }
        if waits {
            return Ok(false);
        }
        if let Some((name, snapshot, watermark)) = encoding.into_iter().next() {
            let mut blocks = Vec::new();
            let mut is_whole = Ok(false);
            let mut meta = None;
            self.with_state(&name, |table| {
                is_whole = table.next_blocks(ENCODE_STEP, &mut blocks);
                if is_whole == Ok(true) {
                    meta = Some(StateMeta {
                        kind: table.kind().to_owned(),
                        shape: table.shape().map(str::to_owned),
                        keys: table.snapshot_keys(),
                        watermark,
                    });
                }
            });
            is_whole.map_err(Error::State)?;
            let mut snapshots = self.control.snapshots.borrow_mut();
            for block in blocks {
                snapshots.block(snapshot, block);
            }
            if let Some(meta) = meta {
                snapshots.state(snapshot, &name, meta);
            }
        }
        Ok(self.control.snapshots.borrow().is_encoding())
    }

    /// What is encoded of keys before their turn.
    fn saved_bytes(&self) -> usize {
        let mut bytes = 0;
        for state in self.control.states.borrow().iter() {
            (state.table).with_table(&mut |table| bytes += table.saved_bytes());
        }
        bytes
    }

    /// The end of the input: see `rounds/ending.rs`.
    fn end(&mut self) {
        match self.phase {
            Phase::Running => self.agree(),
            Phase::Draining => {
                // It is stepped until nothing is in flight, and sinks have written all. A
                // checkpoint that is under way comes first: what others acknowledge must not be put
                // together with last files.
                let is_under_way = self.control.snapshots.borrow().is_under_way();
                if self.control.probe.done() && !is_under_way {
                    self.phase = Phase::Ended;
                    self.last_snapshot();
                }
            }
            Phase::Ended => {}
        }
    }

    fn agree(&mut self) {
        let Some(sayings) = &mut self.sayings else {
            return;
        };
        let has_ended = (self.control.sources.borrow().iter()).all(|source| source.has_ended());
        if has_ended && let Some(saying) = self.ending.exhausted() {
            sayings.say(saying);
        }
        let heard = sayings.heard();
        for saying in heard {
            if let Some(saying) = self.ending.heard(saying) {
                sayings.say(saying);
            }
        }
        // Before others can hear that this rank has closed: nothing was stepped since it was said.
        if let Some(highest) = self.ending.closed() {
            self.give_up(|each| each > Snapshot::Checkpoint(highest) && each != Snapshot::Last);
        }
        if self.ending.is_over() {
            self.sayings = None;
            // What they hold is let go with them; their positions are kept for the last snapshot.
            for source in self.control.sources.borrow_mut().iter_mut() {
                source.close();
            }
            self.phase = Phase::Draining;
            self.control.is_draining.set(true);
            for sink in self.control.sinks.borrow().iter() {
                sink.drain();
            }
        }
    }

    fn last_snapshot(&self) {
        let control = &self.control;
        control.snapshots.borrow_mut().begin(Snapshot::Last);
        for source in control.sources.borrow().iter() {
            (control.snapshots.borrow_mut()).source(Snapshot::Last, source.name(), source.meta());
        }
        for state in control.states.borrow().iter() {
            state.table.with_table(&mut |table| table.begin_snapshot());
            let watermark = state.watermark.get();
            (control.snapshots.borrow_mut()).encode(Snapshot::Last, &state.name, watermark);
        }
        for sink in control.sinks.borrow().iter() {
            sink.stage(Snapshot::Last);
        }
    }

    /// Waits until sinks have published what was committed, as nobody will do it after a stop.
    fn publish(&self) -> Result<()> {
        for sink in self.control.sinks.borrow().iter() {
            sink.close();
        }
        loop {
            self.look_at_sinks()?;
            if self
                .control
                .sinks
                .borrow()
                .iter()
                .all(|sink| sink.is_quiet())
            {
                return Ok(());
            }
            std::thread::park_timeout(LONGEST_REST);
        }
    }

    /// Begins to answer.
    fn ask(&mut self, query: Query) {
        let mut question = None;
        self.with_state(&query.state, |table| {
            question = Some(table.ask(&query.what))
        });
        if let Some(question) = question {
            self.questions.push_back((query, question));
            return;
        }
        let states = self.control.states.borrow();
        let names: Vec<_> = states.iter().map(|state| state.name.as_str()).collect();
        // Nobody may wait for it any more.
        let _ = query.answer.send(Err(format!(
            "there is no state `{}`; there are {}",
            query.state,
            names.join(", ")
        )));
    }

    /// Answers some more of what was asked, each in turn. Returns whether there is more to answer.
    fn answer(&mut self) -> bool {
        if let Some((query, mut question)) = self.questions.pop_front() {
            let mut answer = None;
            self.with_state(&query.state, |table| {
                answer = table.answer(&mut question, ANSWER_STEP);
            });
            match answer {
                // Nobody may wait for it any more.
                Some(answer) => drop(query.answer.send(answer)),
                None => self.questions.push_back((query, question)),
            }
        }
        !self.questions.is_empty()
    }

    fn with_state(&self, name: &str, mut each: impl FnMut(&mut dyn crate::state::AnyTable)) {
        let states = self.control.states.borrow();
        if let Some(state) = states.iter().find(|state| state.name == name) {
            state.table.with_table(&mut each);
        }
    }

    fn rest(&self) -> Duration {
        let sources = self.control.sources.borrow();
        let rest = match self.phase {
            Phase::Running => sources.iter().filter_map(|source| source.rest()).min(),
            Phase::Draining | Phase::Ended => None,
        };
        let rest = rest.into_iter().chain(self.pace.rest()).min();
        rest.unwrap_or(LONGEST_REST)
    }

    fn sample(&mut self) {
        let interval = self.sampled.elapsed();
        if interval >= SAMPLES_EVERY {
            self.sampled = now();
            let _ = (self.seat.reports).send(Report::Metrics(samples(&self.control, interval)));
        }
    }
}
