//! A sink of this rank: an operator that takes records, and a thread that writes them.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::Probe as _;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::scheduling::Activator;

use super::control::Seen;
use super::report::now;
use super::snapshots::Part;
use super::{Control, Flow};
use crate::logic::{Data, Timed};
use crate::orders::Snapshot;
use crate::rounds::{Gate, Marks, Step, Time};
use crate::{Error, Staged, Timestamp, Writer};

/// How much unpublished output a sink may have in memory before it is given no more than the next
/// checkpoint needs.
pub(super) const MOST_HELD: usize = 64 << 20;

/// How often the thread of a sink is given records, at most: each time wakes it, which costs as
/// much as some dozen records. It is nothing beside the time until the next checkpoint.
const HAND_OVER_EVERY: Duration = Duration::from_millis(1);

/// As many records are handed over at once, so that nothing large is kept here.
const MOST_AT_ONCE: usize = 4096;

/// How often it is looked whether a sink that holds something holds less.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// To the thread of a sink.
enum Job<T> {
    Write(Vec<T>),
    Stage(Snapshot),
    Commit(u64),
    Close,
}

/// From the thread of a sink.
pub(crate) enum Done {
    Staged(Snapshot, Vec<Staged>),
    Committed,
    /// All that was committed is published.
    Closed,
    Failed(Error),
}

/// A sink, as the loop of the worker sees it.
pub(crate) struct SinkHandle {
    pub(crate) name: String,
    commands: Box<dyn Commands>,
    done: Receiver<Done>,
    shared: Arc<Shared>,
    seen: Cell<u64>,
    had_room: Cell<bool>,
    activator: Activator,
    /// Jobs that are no writes and are not done.
    outstanding: Cell<usize>,
}

/// What both threads look at.
struct Shared {
    sent: AtomicU64,
    written: AtomicU64,
    held: AtomicUsize,
    records: AtomicUsize,
    worker: Thread,
}

/// The sending half, without the type of its records.
trait Commands {
    fn stage(&self, snapshot: Snapshot);
    fn commit(&self, number: u64);
    fn close(&self);
}

impl<T> Commands for Sender<Job<T>> {
    fn stage(&self, snapshot: Snapshot) {
        // A thread that is gone has said why.
        let _ = self.send(Job::Stage(snapshot));
    }

    fn commit(&self, number: u64) {
        let _ = self.send(Job::Commit(number));
    }

    fn close(&self) {
        let _ = self.send(Job::Close);
    }
}

impl SinkHandle {
    /// Makes what was written durable, for this snapshot.
    pub(crate) fn stage(&self, snapshot: Snapshot) {
        self.outstanding.set(self.outstanding.get() + 1);
        self.commands.stage(snapshot);
    }

    /// Publishes everything up to this number.
    pub(crate) fn commit(&self, number: u64) {
        self.outstanding.set(self.outstanding.get() + 1);
        self.commands.commit(number);
    }

    /// Waits, on its thread, until all that was committed is published.
    pub(crate) fn close(&self) {
        self.outstanding.set(self.outstanding.get() + 1);
        self.commands.close();
    }

    /// Whether its thread has nothing to stage or to publish.
    pub(crate) fn is_quiet(&self) -> bool {
        self.outstanding.get() == 0
    }

    /// What its thread has done since the last call. Wakes the operator if it has written.
    pub(crate) fn done(&self) -> Option<Done> {
        let written = self.shared.written.load(Ordering::Acquire);
        if self.seen.replace(written) != written {
            self.activator.activate();
        }
        if self.had_room.replace(!self.is_full()) == self.is_full() {
            self.activator.activate();
        }
        let done = self.done.try_recv().ok()?;
        self.outstanding
            .set(self.outstanding.get().saturating_sub(1));
        Some(done)
    }

    /// Whether it has as much in memory as it may.
    pub(crate) fn is_full(&self) -> bool {
        self.shared.held.load(Ordering::Acquire) >= MOST_HELD
    }

    /// The input has ended everywhere: it takes what is left.
    pub(crate) fn drain(&self) {
        self.activator.activate();
    }

    /// How many records wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.records.load(Ordering::Relaxed)
    }
}

/// Ends a stream in this writer.
pub(crate) fn attach_sink<'s, T, W>(
    control: &Rc<Control>,
    name: &str,
    flow: Flow<'s, Timed<T>>,
    writer: W,
) where
    T: Data,
    W: Writer<T> + 'static,
{
    let scope = flow.scope();
    let mut builder = OperatorBuilder::new(format!("sink {name}"), scope);
    let mut input = builder.new_input(flow, Pipeline);
    let (output, nothing) = builder.new_output::<Vec<()>>();
    // It gives nothing, but what it holds is seen behind it.
    let _output = OutputBuilder::<u64, CapacityContainerBuilder<Vec<()>>>::from(output);
    let address = builder.operator_info().address;
    let (activator, later) = (
        scope.activator_for(Rc::clone(&address)),
        scope.activator_for(address),
    );

    let (jobs, todo) = channel();
    let (tell, done) = channel();
    let shared = Arc::new(Shared {
        sent: AtomicU64::new(0),
        written: AtomicU64::new(0),
        held: AtomicUsize::new(0),
        records: AtomicUsize::new(0),
        worker: std::thread::current(),
    });
    start(name, writer, todo, tell, Arc::clone(&shared));
    control
        .snapshots
        .borrow_mut()
        .expect(Part::Sink(name.to_owned()));
    control.sinks.borrow_mut().push(SinkHandle {
        name: name.to_owned(),
        commands: Box::new(jobs.clone()),
        done,
        shared: Arc::clone(&shared),
        seen: Cell::new(0),
        had_room: Cell::new(true),
        activator,
        outstanding: Cell::new(0),
    });

    let probe = control.probe.clone();
    let control = Rc::clone(control);
    let name = name.to_owned();
    let busy = control.busy(&name);
    let round = control.round.get();
    builder.build(move |capabilities| {
        drop(capabilities);
        let mut gate = Gate::new(round, Marks::new(0, Timestamp::MIN));
        let mut seen = Seen::default();
        // Batches that the thread has not written yet, with the times that they hold up.
        let mut unwritten: VecDeque<(u64, Capability<u64>)> = VecDeque::new();
        let mut full: VecDeque<(Capability<u64>, Vec<Timed<T>>)> = VecDeque::new();
        // What is handed over next.
        let mut records: Vec<T> = Vec::new();
        let handed_over: Cell<Option<Instant>> = Cell::new(None);
        move |frontiers| {
            let _working = busy.begin();
            let written = shared.written.load(Ordering::Acquire);
            while unwritten
                .front()
                .is_some_and(|(number, _)| *number <= written)
            {
                unwritten.pop_front();
            }
            seen.update(&control, &mut gate);
            let hand_over = |records: &mut Vec<T>| {
                if !records.is_empty() {
                    handed_over.set(Some(now()));
                    shared.records.fetch_add(records.len(), Ordering::Relaxed);
                    shared.sent.fetch_add(1, Ordering::AcqRel);
                    // A thread that is gone has said why.
                    let _ = jobs.send(Job::Write(std::mem::take(records)));
                }
            };
            input.for_each(|capability, batch| {
                let time = Time(*capability.time());
                let batch = (capability.retain(0), std::mem::take(batch));
                if let Some(batch) = gate.batch(time, batch) {
                    full.push_back(batch);
                }
            });
            gate.frontier(frontiers[0].frontier().first().map(|time| Time(*time)));
            loop {
                let is_full = shared.held.load(Ordering::Acquire) >= MOST_HELD;
                // A checkpoint that was asked for relieves it, and needs what is before it. So does
                // the end of the input.
                let is_awaited = control.is_asked_above(gate.round()) || control.is_draining.get();
                if is_full && !is_awaited {
                    break;
                }
                if let Some((capability, batch)) = full.pop_front() {
                    if batch.is_empty() {
                        continue;
                    }
                    busy.took(batch.len());
                    records.extend(batch.into_iter().map(|(_, record)| record));
                    let number = shared.sent.load(Ordering::Acquire) + 1;
                    // Batches of one time and one turn are written at once.
                    let is_held = (unwritten.back())
                        .is_some_and(|(last, held)| *last == number && *held == capability);
                    if !is_held {
                        unwritten.push_back((number, capability));
                    }
                    if records.len() >= MOST_AT_ONCE {
                        hand_over(&mut records);
                    }
                    continue;
                }
                match gate.next() {
                    None => break,
                    Some(Step::Apply(batch)) => full.push_back(batch),
                    Some(Step::Watermark(..)) => {}
                    Some(Step::Snapshot(number)) => {
                        hand_over(&mut records);
                        let sinks = control.sinks.borrow();
                        let own = sinks.iter().find(|sink| sink.name == name);
                        own.expect("it is there as long as the operator")
                            .stage(Snapshot::Checkpoint(number));
                    }
                }
            }
            if !records.is_empty() {
                let since = handed_over.get().map(|at| at.elapsed());
                match since.and_then(|since| HAND_OVER_EVERY.checked_sub(since)) {
                    Some(rest) => later.activate_after(rest),
                    None => hand_over(&mut records),
                }
            }
        }
    });
    nothing.probe_with(&probe);
}

fn start<T: Data, W: Writer<T> + 'static>(
    name: &str,
    mut writer: W,
    todo: Receiver<Job<T>>,
    tell: Sender<Done>,
    shared: Arc<Shared>,
) -> JoinHandle<()> {
    let sink = name.to_owned();
    let run = move || {
        loop {
            let job = match todo.recv_timeout(LOOK_AGAIN) {
                Ok(job) => job,
                Err(RecvTimeoutError::Disconnected) => return,
                // What it holds may be delivered by a thread of its own.
                Err(RecvTimeoutError::Timeout) => {
                    let held = writer.held_bytes();
                    if shared.held.swap(held, Ordering::AcqRel) != held {
                        shared.worker.unpark();
                    }
                    if held == 0 {
                        match todo.recv() {
                            Ok(job) => job,
                            Err(_) => return,
                        }
                    } else {
                        continue;
                    }
                }
            };
            let done = match job {
                Job::Write(records) => {
                    let count = records.len();
                    let result = writer.write(records);
                    shared.records.fetch_sub(count, Ordering::Relaxed);
                    shared.written.fetch_add(1, Ordering::AcqRel);
                    result.map(|()| None)
                }
                Job::Stage(Snapshot::Checkpoint(number)) => (writer.stage(number))
                    .map(|staged| Some(Done::Staged(Snapshot::Checkpoint(number), staged))),
                Job::Stage(Snapshot::Last) => {
                    (writer.stage_last()).map(|staged| Some(Done::Staged(Snapshot::Last, staged)))
                }
                Job::Commit(number) => writer.commit(number).map(|()| Some(Done::Committed)),
                Job::Close => writer.close().map(|()| Some(Done::Closed)),
            };
            shared.held.store(writer.held_bytes(), Ordering::Release);
            let has_failed = done.is_err();
            let done = done.unwrap_or_else(|cause| {
                let name = sink.clone();
                Some(Done::Failed(Error::Sink { name, cause }))
            });
            if let Some(done) = done {
                // A worker that is gone wants nothing more.
                let _ = tell.send(done);
            }
            shared.worker.unpark();
            if has_failed {
                return;
            }
        }
    };
    (std::thread::Builder::new()
        .name(format!("sink {name}"))
        .spawn(run))
    .expect("a process that runs has room for a thread of each sink")
}
