//! [`Control`]: what the operators of a worker and its loop share.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::report::Busy;
use super::sink::SinkHandle;
use super::snapshots::{Part, Snapshots};
use super::source::Driver;
use super::{Opened, Probe, Told};
use crate::state::AnyTable;
use crate::{At, Timestamp, meta::SourceMeta};

/// Shared by the operators of a worker and its loop, all on one thread.
pub(crate) struct Control {
    pub(crate) at: At,
    pub(crate) opened: RefCell<Opened>,
    pub(crate) probe: Probe,
    /// Every number that was asked for and not aborted, above the last one that was decided.
    asked: RefCell<BTreeSet<u64>>,
    /// Rises with each change of `asked`.
    version: Cell<u64>,
    /// The present round of this rank's sources.
    pub(crate) round: Cell<u64>,
    /// The input has ended everywhere: what is in flight is worked off.
    pub(crate) is_draining: Cell<bool>,
    /// A snapshot waits for room, and too much changes meanwhile. The sources of this rank wait,
    /// and let no others pass by: records of other ranks would change as much.
    pub(crate) is_held_up: Cell<bool>,
    /// The state whose snapshot waits for room.
    pub(crate) without_room: RefCell<Option<String>>,
    pub(crate) snapshots: RefCell<Snapshots>,
    pub(crate) states: RefCell<Vec<StateHandle>>,
    pub(crate) sources: RefCell<Vec<Box<dyn Driver>>>,
    pub(crate) sinks: RefCell<Vec<SinkHandle>>,
    pub(crate) busy: RefCell<BTreeMap<String, Rc<Busy>>>,
}

/// A state, as the loop of the worker sees it.
pub(crate) struct StateHandle {
    pub(crate) name: String,
    pub(crate) table: Rc<dyn WithTable>,
    pub(crate) watermark: Rc<Cell<Timestamp>>,
    pub(crate) kept: Rc<Cell<usize>>,
}

/// Something that has a table.
pub(crate) trait WithTable {
    fn with_table(&self, each: &mut dyn FnMut(&mut dyn AnyTable));
}

impl<L: crate::logic::Logic> WithTable for RefCell<L> {
    fn with_table(&self, each: &mut dyn FnMut(&mut dyn AnyTable)) {
        each(self.borrow_mut().table());
    }
}

impl Control {
    pub(crate) fn new(at: At, opened: Opened, snapshots: Snapshots) -> Self {
        Self {
            at,
            round: Cell::new(opened.round),
            opened: RefCell::new(opened),
            probe: Probe::new(),
            asked: RefCell::default(),
            version: Cell::new(0),
            is_draining: Cell::new(false),
            is_held_up: Cell::new(false),
            without_room: RefCell::default(),
            snapshots: RefCell::new(snapshots),
            states: RefCell::default(),
            sources: RefCell::default(),
            sinks: RefCell::default(),
            busy: RefCell::default(),
        }
    }

    /// A checkpoint was asked for. Sources move after this.
    pub(crate) fn ask(&self, number: u64) {
        self.asked.borrow_mut().insert(number);
        self.version.set(self.version.get() + 1);
    }

    /// These checkpoints will not be.
    pub(crate) fn abort_all(&self, which: impl Fn(u64) -> bool) {
        self.asked.borrow_mut().retain(|number| !which(*number));
        self.version.set(self.version.get() + 1);
    }

    /// Whether a checkpoint is asked for that some part of this rank has no snapshot of yet.
    pub(crate) fn is_asked_above(&self, round: u64) -> bool {
        self.asked.borrow().range(round + 1..).next().is_some()
    }

    /// Whether something of this rank has as much in memory as it may, so that its sources wait: a
    /// sink, or a snapshot.
    pub(crate) fn is_full(&self) -> bool {
        self.is_held_up.get() || self.sinks.borrow().iter().any(SinkHandle::is_full)
    }

    /// Forgets numbers up to this one: they are decided.
    pub(crate) fn decided(&self, number: u64) {
        let mut asked = self.asked.borrow_mut();
        *asked = asked.split_off(&(number + 1));
    }

    /// A source of this rank, which each snapshot has from now on.
    pub(crate) fn expect_source(&self, name: &str, driver: Box<dyn Driver>) {
        self.snapshots
            .borrow_mut()
            .expect(Part::Source(name.to_owned()));
        self.sources.borrow_mut().push(driver);
    }

    /// What has been opened under this name, of this type.
    pub(crate) fn take_source<R: 'static>(&self, name: &str) -> (R, SourceMeta) {
        let mut opened = self.opened.borrow_mut();
        let reader = opened
            .sources
            .remove(name)
            .expect("the plan has every source");
        let meta = opened.splits.remove(name).unwrap_or_default();
        (unboxed(reader), meta)
    }

    pub(crate) fn take_sink<W: 'static>(&self, name: &str) -> W {
        let writer = self.opened.borrow_mut().sinks.remove(name);
        unboxed(writer.expect("the plan has every sink"))
    }

    pub(crate) fn take_state<L: 'static>(&self, name: &str) -> (L, Timestamp) {
        let state = self.opened.borrow_mut().states.remove(name);
        let (state, watermark) = state.expect("the plan has every state");
        (unboxed(state), watermark)
    }

    pub(crate) fn busy(&self, name: &str) -> Rc<Busy> {
        let mut busy = self.busy.borrow_mut();
        let of = || Rc::new(Busy::of(name));
        Rc::clone(busy.entry(name.to_owned()).or_insert_with(of))
    }
}

fn unboxed<T: 'static>(value: Box<dyn Any>) -> T {
    *(value.downcast::<T>()).expect("the job is described the same way each time")
}

/// What an operator has seen of the numbers that were asked for.
#[derive(Default)]
pub(crate) struct Seen {
    version: u64,
    asked: BTreeSet<u64>,
}

impl Seen {
    /// Tells a gate what has changed since the last time.
    pub(crate) fn update<B>(&mut self, control: &Control, gate: &mut crate::rounds::Gate<B>) {
        if self.version == control.version.get() {
            return;
        }
        self.version = control.version.get();
        let now = control.asked.borrow();
        for number in now.difference(&self.asked) {
            gate.asked(*number);
        }
        for number in self.asked.difference(&now) {
            gate.aborted(*number);
        }
        self.asked.clone_from(&now);
    }
}

pub(crate) fn mark_of(told: Told) -> (u32, u32, crate::rounds::Mark) {
    (told.source, told.rank, told.mark)
}
