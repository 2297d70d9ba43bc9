//! [`Logic`]: what an operator with state does with a record and with a watermark.
//!
//! The engine decides *when* (rounds, watermarks, snapshots); a logic decides *what*. It is pure:
//! tests call it directly.

use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Timestamp;
use crate::state::AnyTable;

/// What can travel between tasks: any serde type.
pub trait Data: Clone + Send + Serialize + DeserializeOwned + 'static {}

impl<T: Clone + Send + Serialize + DeserializeOwned + 'static> Data for T {}

/// What records can be keyed by. What serde writes for a key decides which task has it
/// ([`incumbent_state::hash_key`]), so it must be the same for keys that are equal, in every build
/// of the job.
pub trait Key: Data + Eq + Hash + Ord {}

impl<T: Data + Eq + Hash + Ord> Key for T {}

/// A record with its time, or [`Timestamp::MIN`] if its stream has none.
pub(crate) type Timed<T> = (Timestamp, T);

/// A record on its way to the task that has its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(crate) struct Keyed<K, V> {
    /// [`incumbent_state::hash_key`] of the key.
    pub(crate) hash: u64,
    pub(crate) time: Timestamp,
    pub(crate) key: K,
    pub(crate) value: V,
}

/// What an operator with state does.
pub(crate) trait Logic: 'static {
    type Key: Key;
    type Value: Data;
    type Out: Data;

    /// A record. The watermark is that of the last call of `watermark`.
    fn record(&mut self, record: Keyed<Self::Key, Self::Value>, out: &mut Vec<Timed<Self::Out>>);

    /// The watermark has risen to `to`. Does a part of what that means, at most some thousand keys,
    /// and returns whether it was the last part; if not, it is called again with the same one.
    fn watermark(&mut self, to: Timestamp, out: &mut Vec<Timed<Self::Out>>) -> bool;

    /// Its state, which is snapshotted, restored and queried by the engine.
    fn table(&mut self) -> &mut dyn AnyTable;

    /// The table has been filled from a checkpoint: rebuild what is derived from it (timers).
    ///
    /// # Errors
    ///
    /// What of it does not fit this logic, as a sentence.
    fn restored(&mut self) -> Result<(), String>;
}
