//! [`Job`]: where the description of a job begins.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use timely::dataflow::operators::Input as _;
use timely::dataflow::operators::vec::Broadcast;

use super::Stream;
use super::stream::SourceStream;
use crate::engine::{Control, Extract, Flow, Plan, Scope, SourceRun, Told};
use crate::kit::Ends;
use crate::logic::{Data, Logic, Timed};
use crate::{Sink, Source};

/// A job that is being described: it gives streams, which lead to sinks.
///
/// The function that describes it is called once on each task and once before, to learn the names,
/// so it must do the same each time, and nothing else.
pub struct Job<'s> {
    inner: Rc<Inner<'s>>,
    /// In a test: what stands for sources and sinks.
    ends: Option<Arc<Ends>>,
}

impl Clone for Job<'_> {
    fn clone(&self) -> Self {
        Self {
            inner: Rc::clone(&self.inner),
            ends: self.ends.clone(),
        }
    }
}

struct Inner<'s> {
    scope: Scope<'s>,
    phase: Phase,
    sources: Cell<u32>,
}

enum Phase {
    Planning(RefCell<Plan>),
    Building(Rc<Control>),
}

impl<'s> Job<'s> {
    /// Reads a source. The name must be the job's own for it: checkpoints know it by that.
    pub fn source<S>(&self, name: &str, source: S) -> SourceStream<'s, S::Record>
    where
        S: Source,
        S::Record: Data,
    {
        match &self.ends {
            None => self.read(name, source),
            Some(ends) => self.read(name, ends.source::<S::Record>(name)),
        }
    }

    fn read<S>(&self, name: &str, source: S) -> SourceStream<'s, S::Record>
    where
        S: Source,
        S::Record: Data,
    {
        let index = self.inner.sources.get();
        self.inner.sources.set(index + 1);
        let extract: Extract<S::Record> = Rc::default();
        let (records, flow) = self.inner.scope.new_input::<Vec<Timed<S::Record>>>();
        let (told, saying) = self.inner.scope.new_input::<Vec<Told>>();
        match &self.inner.phase {
            Phase::Planning(plan) => {
                let open: crate::engine::OpenSource = Box::new(move |at, positions| {
                    (source.open(at, positions)).map(|reader| Box::new(reader) as Box<dyn Any>)
                });
                self.name("source", name);
                plan.borrow_mut().sources.insert(name.to_owned(), open);
            }
            Phase::Building(control) => {
                let (reader, known): (S::Reader, _) = control.take_source(name);
                let run = SourceRun::new(
                    control,
                    name,
                    index,
                    reader,
                    known,
                    records,
                    told,
                    Rc::clone(&extract),
                );
                control.expect_source(name, Box::new(run));
            }
        }
        let told = Rc::new(vec![(index, saying.broadcast())]);
        SourceStream::new(Stream::new(self.clone(), flow, told, false), extract)
    }

    /// Says that what a checkpoint has under this name (of a state, a source or a sink) is not
    /// needed any more. Without it, a job that does not have the name is refused.
    pub fn forget(&self, name: &str) {
        if let Phase::Planning(plan) = &self.inner.phase {
            plan.borrow_mut().forgotten.insert(name.to_owned());
        }
    }

    /// This job with other sources and sinks.
    pub(crate) fn replacing(&self, ends: &Arc<Ends>) -> Self {
        Self {
            inner: Rc::clone(&self.inner),
            ends: Some(Arc::clone(ends)),
        }
    }

    /// What stands for its sources and sinks, in a test.
    pub(crate) fn ends(&self) -> Option<&Arc<Ends>> {
        self.ends.as_ref()
    }

    pub(crate) fn planning(scope: Scope<'s>) -> Self {
        Self::new(scope, Phase::Planning(RefCell::default()))
    }

    pub(crate) fn building(scope: Scope<'s>, control: Rc<Control>) -> Self {
        Self::new(scope, Phase::Building(control))
    }

    fn new(scope: Scope<'s>, phase: Phase) -> Self {
        Self {
            inner: Rc::new(Inner {
                scope,
                phase,
                sources: Cell::new(0),
            }),
            ends: None,
        }
    }

    pub(crate) fn into_plan(self) -> Plan {
        match &self.inner.phase {
            Phase::Planning(plan) => plan.take(),
            Phase::Building(_) => Plan::default(),
        }
    }

    /// The worker's, if this is not the first pass.
    pub(crate) fn control(&self) -> Option<&Rc<Control>> {
        match &self.inner.phase {
            Phase::Planning(_) => None,
            Phase::Building(control) => Some(control),
        }
    }

    /// What is wrong with the job.
    pub(crate) fn fault(&self, fault: String) {
        if let Phase::Planning(plan) = &self.inner.phase {
            plan.borrow_mut().faults.push(fault);
        }
    }

    pub(crate) fn plan_state<L: Logic>(&self, name: &str, logic: L) {
        if let Phase::Planning(plan) = &self.inner.phase {
            self.name("state", name);
            let logic = Box::new(RefCell::new(logic));
            plan.borrow_mut().states.insert(name.to_owned(), logic);
        }
    }

    pub(crate) fn plan_sink<T, S>(&self, name: &str, sink: S)
    where
        T: Serialize + DeserializeOwned + 'static,
        S: Sink<T>,
    {
        if let Phase::Planning(plan) = &self.inner.phase {
            self.name("sink", name);
            let open: crate::engine::OpenSink = Box::new(move |at, staged| {
                (sink.open(at, staged)).map(|writer| Box::new(writer) as Box<dyn Any>)
            });
            plan.borrow_mut().sinks.insert(name.to_owned(), open);
        }
    }

    /// Names are of letters, digits, `-`, `_` and `.`, and there is one of each.
    fn name(&self, kind: &str, name: &str) {
        let Phase::Planning(plan) = &self.inner.phase else {
            return;
        };
        let is_allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let mut plan = plan.borrow_mut();
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_allowed) {
            plan.faults.push(format!(
                "{kind} `{name}`: a name has 1 to {LONGEST_NAME} letters, digits, `-`, `_` and `.`"
            ));
        }
        let names: BTreeSet<&String> = (plan.states.keys())
            .chain(plan.sources.keys())
            .chain(plan.sinks.keys())
            .collect();
        if names.contains(&name.to_owned()) {
            plan.faults.push(format!(
                "{kind} `{name}`: this job has something of that name already"
            ));
        }
    }
}

/// Longest name of a state, a source or a sink, in bytes: it is part of the names of files.
const LONGEST_NAME: usize = 64;

/// The sources above a stream, with what they say of event time.
pub(crate) type Above<'s> = Rc<Vec<(u32, Flow<'s, Told>)>>;
