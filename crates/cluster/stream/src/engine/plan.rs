//! [`Plan`]: a job before it runs.
//!
//! The function that describes a job is called twice: first with a dataflow that is thrown away, to
//! learn the names of everything, so that the checkpoint can be compared and sources and sinks can
//! be opened before the other tasks are met; then to build what runs.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use incumbent_state::{Block, KeyGroup};
use serde_json::Value;

use super::Wiring;
use crate::api::Job;
use crate::logic::Logic;
use crate::meta::StateMeta;
use crate::orders::Restored;
use crate::state::{Misfits, Names};
use crate::{At, BoxError, Error, Result, Staged, Timestamp};

pub(crate) type OpenSource =
    Box<dyn FnOnce(&At, BTreeMap<String, Value>) -> Result<Box<dyn Any>, BoxError>>;
pub(crate) type OpenSink = Box<dyn FnOnce(&At, Vec<Staged>) -> Result<Box<dyn Any>, BoxError>>;

/// The parts of a job, by name.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) states: BTreeMap<String, Box<dyn Restorable>>,
    pub(crate) sources: BTreeMap<String, OpenSource>,
    pub(crate) sinks: BTreeMap<String, OpenSink>,
    /// Names in a checkpoint that may be lost.
    pub(crate) forgotten: BTreeSet<String>,
    /// What is wrong with the job.
    pub(crate) faults: Vec<String>,
}

/// The parts of a job, opened and restored, for the dataflow to take.
#[derive(Default)]
pub(crate) struct Opened {
    pub(crate) states: BTreeMap<String, (Box<dyn Any>, Timestamp)>,
    pub(crate) sources: BTreeMap<String, Box<dyn Any>>,
    pub(crate) sinks: BTreeMap<String, Box<dyn Any>>,
    /// What is known of the splits of this job's sources.
    pub(crate) splits: BTreeMap<String, crate::meta::SourceMeta>,
    /// The round to begin with.
    pub(crate) round: u64,
}

impl Plan {
    /// The plan of this job.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], with all that is wrong.
    pub(crate) fn of(build: &dyn Fn(&Job<'_>)) -> Result<Self> {
        let mut nowhere = Wiring::Alone.worker();
        let plan = nowhere.dataflow::<u64, _, _>(|scope| {
            let job = Job::planning(scope);
            build(&job);
            job.into_plan()
        });
        match plan.faults.is_empty() {
            true => Ok(plan),
            false => Err(Error::Malformed(plan.faults)),
        }
    }

    /// What of a checkpoint does not fit this job, as sentences.
    pub(crate) fn unfit(&self, restored: &Restored) -> Vec<String> {
        let states = self.states.iter();
        let names = Names {
            states: states
                .map(|(name, state)| (name.clone(), (state.kind(), state.shape())))
                .collect(),
            sources: self.sources.keys().cloned().collect(),
            sinks: self.sinks.keys().cloned().collect(),
            forgotten: self.forgotten.clone(),
        };
        names.unfit(restored)
    }

    /// Restores all states, opens all sources and sinks: what was staged at the checkpoint is
    /// published when it returns.
    ///
    /// # Errors
    ///
    /// [`Error::DoesNotFit`], [`Error::Source`], [`Error::Sink`].
    pub(crate) fn open(mut self, at: &At, restored: Restored) -> Result<Opened> {
        let mut misfits = Misfits::default();
        for state in self.states.values_mut() {
            state.own(KeyGroup::owned(at.rank, at.tasks));
        }
        for block in restored.blocks {
            let block = block?;
            // What is not there, or is made otherwise now, is forgotten.
            let meta = restored.states.get(&block.state);
            if let Some(state) = self.states.get_mut(&block.state)
                && meta.is_none_or(|meta| meta.is_of(state.kind(), state.shape().as_deref()))
            {
                state.restore(&block, &mut misfits);
            }
        }
        let mut refused = misfits.sentences();
        let restored_states = self.states.values_mut().map(|state| state.restored());
        refused.extend(restored_states.filter_map(Result::err));
        if !refused.is_empty() {
            return Err(Error::DoesNotFit(refused));
        }
        let mut opened = Opened {
            round: restored.number,
            splits: restored.sources,
            ..Opened::default()
        };
        for (name, state) in self.states {
            let meta: Option<&StateMeta> = restored.states.get(&name);
            let watermark = meta.map_or(Timestamp::MIN, |meta| meta.watermark);
            opened.states.insert(name, (state.into_any(), watermark));
        }
        for (name, open) in self.sources {
            let at = named(at, &name);
            let splits = opened.splits.get(&name).map(|meta| &meta.splits);
            let live = splits
                .into_iter()
                .flatten()
                .filter(|(split, meta)| !meta.has_ended && at.is_mine(split));
            let positions = live
                .map(|(split, meta)| (split.clone(), meta.position.clone()))
                .collect();
            let reader = open(&at, positions).map_err(|cause| Error::Source {
                name: name.clone(),
                cause,
            })?;
            opened.sources.insert(name, reader);
        }
        let mut staged = restored.sinks;
        for (name, open) in self.sinks {
            let staged = staged.remove(&name).unwrap_or_default();
            let writer = open(&named(at, &name), staged).map_err(|cause| Error::Sink {
                name: name.clone(),
                cause,
            })?;
            opened.sinks.insert(name, writer);
        }
        Ok(opened)
    }
}

fn named(at: &At, name: &str) -> At {
    At {
        name: name.to_owned(),
        ..at.clone()
    }
}

/// A logic whose types are not known here.
pub(crate) trait Restorable {
    fn kind(&self) -> &'static str;
    fn shape(&self) -> Option<String>;
    fn own(&mut self, groups: Range<u32>);
    fn restore(&mut self, block: &Block, misfits: &mut Misfits);
    fn restored(&mut self) -> Result<(), String>;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// It is a `RefCell`, as the operator and the loop of the worker share it later.
impl<L: Logic> Restorable for RefCell<L> {
    fn kind(&self) -> &'static str {
        self.borrow_mut().table().kind()
    }

    fn shape(&self) -> Option<String> {
        self.borrow_mut().table().shape().map(str::to_owned)
    }

    fn own(&mut self, groups: Range<u32>) {
        self.get_mut().table().own(groups);
    }

    fn restore(&mut self, block: &Block, misfits: &mut Misfits) {
        self.get_mut().table().restore(block, misfits);
    }

    fn restored(&mut self) -> Result<(), String> {
        self.get_mut().restored()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
