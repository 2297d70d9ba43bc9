//! [`Sink`]: where records go. Implement it for what this crate does not know.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{At, BoxError};

/// Where records go: a description that each rank opens for itself.
pub trait Sink<T>: Send + Sync + 'static {
    /// What writes to it.
    type Writer: Writer<T> + 'static;

    /// Opens it for this rank. `staged` has what *all* ranks had staged at the checkpoint that the
    /// job starts from. That checkpoint is committed, so this publishes the share that is this
    /// rank's ([`At::is_mine`] of [`Staged::name`], or of another name that `note` has), again or
    /// for the first time.
    ///
    /// It is called before the job is ready, and may wait.
    ///
    /// # Errors
    ///
    /// Ends the attempt.
    fn open(&self, at: &At, staged: Vec<Staged>) -> Result<Self::Writer, BoxError>;
}

/// Writes to a sink for one rank. It runs on a thread of its own, and may wait: what is behind it
/// keeps its records meanwhile, and sources stop.
pub trait Writer<T>: Send {
    /// Takes these records. Nobody may see them before their checkpoint is committed, unless the
    /// sink says that it delivers at least once.
    ///
    /// # Errors
    ///
    /// Ends the attempt.
    fn write(&mut self, records: Vec<T>) -> Result<(), BoxError>;

    /// Makes everything durable that was written so far, and returns all that is promised and not
    /// published, of earlier numbers too. It becomes part of checkpoint `number`.
    ///
    /// # Errors
    ///
    /// Ends the attempt.
    fn stage(&mut self, number: u64) -> Result<Vec<Staged>, BoxError>;

    /// The same for the end of the input: it is published with the next number that is committed.
    ///
    /// # Errors
    ///
    /// Ends the attempt.
    fn stage_last(&mut self) -> Result<Vec<Staged>, BoxError>;

    /// Publishes all that was staged up to this number. It is repeatable: a failure in the middle
    /// is mended by the next attempt, which does it again.
    ///
    /// # Errors
    ///
    /// Ends the attempt.
    fn commit(&mut self, number: u64) -> Result<(), BoxError>;

    /// Waits until all that was committed is published. It is the last call, before the rank ends
    /// because it was told to stop. A sink whose [`commit`](Self::commit) returns before that, so
    /// that checkpoints go on while what is behind the sink is out, waits here.
    ///
    /// # Errors
    ///
    /// Ends the attempt.
    fn close(&mut self) -> Result<(), BoxError> {
        Ok(())
    }

    /// How many bytes it keeps in memory until they are published. From 64 MiB on it is given no
    /// more than the next checkpoint needs.
    fn held_bytes(&self) -> usize {
        0
    }
}

/// Something that a sink has promised to publish. It is kept in checkpoints until it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// A name that no other rank and no other attempt gives: the rank that publishes it after a
    /// restart is chosen by it.
    pub name: String,
    /// It is published with the first committed checkpoint from this number on.
    pub from: u64,
    /// What the sink needs to know to publish it.
    pub note: Value,
    /// What is to be published, if it is nowhere else. It becomes a file of the checkpoint.
    #[serde(skip)]
    pub bytes: Option<std::sync::Arc<[u8]>>,
}
