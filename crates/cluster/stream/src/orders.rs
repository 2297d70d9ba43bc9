//! What passes between the worker, which computes, and the runtime around it, which talks to the
//! TaskManager (or, without a cluster, decides by itself). Both sides are threads of one process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::Sender;

use incumbent_state::Block;
use serde_json::Value;

use crate::meta::{SourceMeta, StateMeta};
use crate::room::Held;
use crate::{Result, Staged};

/// From the runtime to the worker. The sender wakes the worker
/// ([`Waker`](crate::Waker)) afterwards.
#[derive(Debug)]
pub(crate) enum Order {
    /// Move to this round, and snapshot when the frontier has entered it.
    Checkpoint {
        /// The number of the checkpoint, which is the round. Numbers rise.
        number: u64,
    },
    /// Publish everything up to this number.
    Committed {
        /// The number.
        number: u64,
    },
    /// Give this snapshot up.
    Aborted {
        /// The number.
        number: u64,
    },
    /// End without giving anything more.
    Stop,
    /// Answer a query of live state.
    Query(Query),
}

/// A question about live state.
#[derive(Debug)]
pub(crate) struct Query {
    /// The name of the state.
    pub(crate) state: String,
    /// What is asked.
    pub(crate) what: Asked,
    /// Where the answer goes: JSON entries of key and value, or why there are none.
    pub(crate) answer: Sender<Result<Answer, String>>,
}

/// What is asked of a state.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// The value of one key.
    Key(Value),
    /// Keys in the order of their JSON, from the first to before the second.
    Range {
        /// The first key, if not from the beginning.
        from: Option<Value>,
        /// The key before which it ends, if not at the end.
        to: Option<Value>,
        /// At most so many.
        limit: usize,
    },
}

/// What a state has of what was asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    /// Keys and values.
    pub(crate) entries: Vec<(Value, Value)>,
    /// Whether this rank owns the key that was asked for.
    pub(crate) is_owner: bool,
    /// There are more in the range than the limit let through.
    pub(crate) has_more: bool,
}

/// Which snapshot something is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Snapshot {
    /// That of a checkpoint.
    Checkpoint(u64),
    /// That of the end of the input.
    Last,
}

/// From the worker to the runtime.
#[derive(Debug)]
pub(crate) enum Report {
    /// The dataflow stands and has restored its state: the rank is ready to begin.
    Built,
    /// The snapshot begins: what comes for an earlier checkpoint is given up.
    Begun(Snapshot),
    /// Some of the state, which has its room until the receiver has dealt with it.
    Block(Snapshot, Block, Held),
    /// All of it has been reported: store the files, acknowledge. After [`Snapshot::Last`], finish.
    Whole(Snapshot, Whole),
    /// Nothing more will come for this snapshot.
    GivenUp(Snapshot),
    /// The samples of this worker, in the text form of OpenMetrics.
    Metrics(String),
}

/// What a snapshot has besides blocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whole {
    pub(crate) states: BTreeMap<String, StateMeta>,
    pub(crate) sources: BTreeMap<String, SourceMeta>,
    pub(crate) sinks: BTreeMap<String, Vec<Staged>>,
}

/// What a rank starts from: its share of a checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// The number of the checkpoint.
    pub(crate) number: u64,
    /// The names and kinds of all states that the checkpoint has.
    pub(crate) states: BTreeMap<String, StateMeta>,
    /// The splits of all ranks.
    pub(crate) sources: BTreeMap<String, SourceMeta>,
    /// What all ranks have staged, with its bytes.
    pub(crate) sinks: BTreeMap<String, Vec<Staged>>,
    /// The blocks of the key groups that this rank owns.
    pub(crate) blocks: Blocks,
}

/// Blocks of a checkpoint, read while they are taken: state is never in memory twice.
pub(crate) struct Blocks(Box<dyn Iterator<Item = Result<Block>> + Send>);

impl Blocks {
    pub(crate) fn new(blocks: impl Iterator<Item = Result<Block>> + Send + 'static) -> Self {
        Self(Box::new(blocks))
    }
}

impl Iterator for Blocks {
    type Item = Result<Block>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl Default for Blocks {
    fn default() -> Self {
        Self::new(std::iter::empty())
    }
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks").finish_non_exhaustive()
    }
}
