//! [`stateful`]: an operator that has state, from a [`Logic`].

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use incumbent_state::KeyGroup;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{ExchangeCore, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{Capability, Concatenate, Probe as _};

use super::control::{Seen, StateHandle, mark_of};
use super::parcels::Parcels;
use super::report::now;
use super::snapshots::Part;
use super::{Control, Flow, Told};
use crate::Timestamp;
use crate::logic::{Keyed, Logic, Timed};
use crate::orders::Snapshot;
use crate::rounds::{Gate, Marks, Step, Time};

/// How long an operator works on one watermark before others have a turn.
const TURN: Duration = Duration::from_millis(5);

/// Puts out what has been collected. It is no function, as timely does not name what a session
/// needs.
macro_rules! give {
    ($output:ident, $capability:ident, $out:ident) => {
        if !$out.is_empty() {
            $output.session(&$capability).give_container(&mut $out);
            $out.clear();
        }
    };
}

type Output<T> = OutputBuilder<u64, CapacityContainerBuilder<Vec<T>>>;

/// Runs a logic over a stream of records, on the rank that owns each key. `told` is what the
/// sources above it say of event time, and `sources` how many of them there are.
pub(crate) fn stateful<'s, L: Logic>(
    control: &Rc<Control>,
    name: &str,
    flow: Flow<'s, Keyed<L::Key, L::Value>>,
    told: Vec<Flow<'s, Told>>,
) -> Flow<'s, Timed<L::Out>> {
    let (logic, restored): (RefCell<L>, Timestamp) = control.take_state(name);
    let logic = Rc::new(logic);
    let scope = flow.scope();
    let tasks = control.at.tasks;
    let sources = told.len();
    let told = scope.concatenate(told);

    let mut builder = OperatorBuilder::new(name.to_owned(), scope);
    let route =
        move |record: &Keyed<L::Key, L::Value>| u64::from(KeyGroup::of(record.hash).rank(tasks));
    let mut input = builder.new_input(flow, exchange(route));
    let mut told = builder.new_input(told, Pipeline);
    let (output, given) = builder.new_output::<Vec<Timed<L::Out>>>();
    let mut output: Output<Timed<L::Out>> = OutputBuilder::from(output);
    let activator = scope.activator_for(builder.operator_info().address);

    let watermark = Rc::new(Cell::new(restored));
    let kept = Rc::new(Cell::new(0));
    control
        .snapshots
        .borrow_mut()
        .expect(Part::State(name.to_owned()));
    control.states.borrow_mut().push(StateHandle {
        name: name.to_owned(),
        table: Rc::clone(&logic) as _,
        watermark: Rc::clone(&watermark),
        kept: Rc::clone(&kept),
    });

    let round = control.round.get();
    let busy = control.busy(name);
    let shared = Rc::clone(control);
    let name = name.to_owned();
    builder.build(move |capabilities| {
        drop(capabilities);
        let marks = Marks::new(sources * tasks as usize, restored);
        let mut gate = Gate::new(round, marks);
        let mut seen = Seen::default();
        let mut out: Vec<Timed<L::Out>> = Vec::new();
        // What sources said at these times has not been applied: the times are held for what
        // follows.
        let mut said: BTreeMap<u64, Capability<u64>> = BTreeMap::new();
        let mut unfinished: Option<(Capability<u64>, Timestamp)> = None;
        let mut is_first = true;
        move |frontiers| {
            let _working = busy.begin();
            let mut logic = logic.borrow_mut();
            if std::mem::take(&mut is_first) && restored > Timestamp::MIN {
                // What has fired before the checkpoint does not fire again.
                while !logic.watermark(restored, &mut out) {}
                out.clear();
            }
            seen.update(&shared, &mut gate);
            let mut output = output.activate();
            input.for_each(|capability, batch| {
                let time = Time(*capability.time());
                // Only what is kept needs a capability of its own.
                match gate.would_apply(time) {
                    true => {
                        busy.took(batch.len());
                        // Most give as much as they take, and what is given is gone with its
                        // memory: without this, it would grow anew each time.
                        out.reserve(batch.len());
                        for record in batch.drain(..) {
                            logic.record(record, &mut out);
                        }
                        busy.gave(out.len());
                        give!(output, capability, out);
                    }
                    false => {
                        let batch = std::mem::take(batch);
                        kept.set(kept.get() + batch.len());
                        gate.batch(time, (capability.retain(0), batch));
                    }
                }
            });
            told.for_each(|capability, batch| {
                let time = *capability.time();
                for each in batch.drain(..) {
                    let (source, rank, mark) = mark_of(each);
                    gate.marks().say(Time(time), source, rank, mark);
                }
                said.entry(time).or_insert_with(|| capability.retain(0));
            });
            let frontier = [&frontiers[0], &frontiers[1]];
            let frontier = frontier
                .iter()
                .filter_map(|each| each.frontier().first().copied())
                .min();
            gate.frontier(frontier.map(Time));
            let began = now();
            loop {
                if let Some((capability, to)) = unfinished.take() {
                    let is_done = logic.watermark(to, &mut out);
                    busy.gave(out.len());
                    give!(output, capability, out);
                    if !is_done {
                        unfinished = Some((capability, to));
                        if began.elapsed() >= TURN {
                            activator.activate();
                            break;
                        }
                        continue;
                    }
                }
                match gate.next() {
                    None => {
                        // Times that nothing can follow from any more.
                        let passed = frontier.unwrap_or(u64::MAX);
                        let until = gate
                            .marks()
                            .next()
                            .map_or(passed, |next| next.0.min(passed));
                        said = said.split_off(&until);
                        break;
                    }
                    Some(Step::Watermark(time, to)) => {
                        watermark.set(to);
                        let capability = said.get(&time.0).expect("it was said at this time");
                        unfinished = Some((capability.clone(), to));
                    }
                    Some(Step::Snapshot(number)) => {
                        let snapshot = Snapshot::Checkpoint(number);
                        let mut snapshots = shared.snapshots.borrow_mut();
                        if snapshots.encode(snapshot, &name, watermark.get()) {
                            logic.table().begin_snapshot();
                        }
                    }
                    Some(Step::Apply((capability, batch))) => {
                        kept.set(kept.get() - batch.len());
                        busy.took(batch.len());
                        for record in batch {
                            logic.record(record, &mut out);
                        }
                        busy.gave(out.len());
                        give!(output, capability, out);
                    }
                }
            }
        }
    });
    given.probe_with(&control.probe)
}

fn exchange<T, F>(route: F) -> ExchangeCore<Parcels<T>, F>
where
    T: Clone + 'static,
    F: FnMut(&T) -> u64 + 'static,
{
    ExchangeCore::<Parcels<T>, F>::new_core(route)
}
