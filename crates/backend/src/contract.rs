//! The trait [`Backend`] and its types.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use incumbent_core::{GroupName, Key, Nonce, Version};

/// Any error, as a cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Stores bodies under keys. Each has a version, and only compare-and-swap changes it.
///
/// # What every implementation promises
///
/// - **Single key**: reads and swaps of one key are linearizable. A read returns the newest
///   committed body. It never returns one older than any body that was returned or acknowledged
///   before the read began, on any connection and in any process.
/// - **Versions**: every successful swap gives the key a version it never had. Versions are
///   compared for equality only.
/// - **Atomic**: a swap happens whole or not at all, whatever is killed at whatever moment.
/// - **Honest outcomes**: [`Failure::Unknown`] whenever a request may still take effect,
///   [`Failure::NotApplied`] only when it cannot any more. If in doubt, `Unknown`. A backend does
///   not retry: a second request would hide the first one's outcome.
/// - **Never a guess**: a body that cannot be understood (damaged, foreign, of a newer format) is
///   an error that names it.
///
/// # Cancel safety
///
/// Dropping the future of a swap leaves its outcome unknown: the swap may still happen, even much
/// later.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The limits of this backend, and from where it can be reached.
    fn limits(&self) -> Limits;

    /// The newest body of `key`, or `None` if the key has none.
    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread>;

    /// Replaces the body of `key` if its state still matches `expected`.
    ///
    /// A body longer than [`Limits::largest_body`] is refused with [`Failure::TooLarge`], and
    /// nothing is written.
    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure>;

    /// Removes `key` if it still has this version. Nothing remains, not even a tombstone.
    ///
    /// An erasure is a swap like any other: atomic, with honest outcomes. A body created under the
    /// key later has a version that the key never had. A backend that cannot guarantee this removes
    /// nothing and returns [`Erased::Kept`].
    async fn erase(&self, key: &Key, version: &Version) -> Result<Erased, Failure> {
        let _ = (key, version);
        Ok(Erased::Kept)
    }

    /// The groups that have a key here, sorted. Like [`list`](Self::list), it is not a snapshot.
    async fn groups(&self) -> Result<Vec<GroupName>, Unread> {
        Err(Unread::Unavailable(
            "this backend cannot list its groups".into(),
        ))
    }

    /// Checks whether this process could campaign in `group`: whether the backend would accept the
    /// writes of a campaign under its account. It changes no record.
    ///
    /// A standby calls this at its start. As long as the answer is [`Rights::Missing`], it calls it
    /// again at intervals. So missing rights show before the first failover needs them.
    ///
    /// [`Rights::Granted`] is no promise: rights can be taken away later, and a swap can fail for
    /// other reasons. The default is [`Rights::Unknown`]: this backend cannot tell.
    ///
    /// # Errors
    ///
    /// [`Unread::Unavailable`]: the backend did not answer. The rights are unknown; ask again
    /// later.
    async fn check_rights(&self, group: &GroupName) -> Result<Rights, Unread> {
        let _ = group;
        Ok(Rights::Unknown)
    }

    /// All keys of a group that have a body, sorted by their text.
    ///
    /// It includes every key that was created and acknowledged before the call. It is not a
    /// snapshot: a key created during the call may be included or not, and the version of a key
    /// written during the call may be the older or the newer one.
    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread>;

    /// Hints about changes in a group, from now on. The stream never ends by itself.
    ///
    /// Call it inside a Tokio runtime. It costs one watch, regardless of the number of keys.
    fn watch(&self, group: &GroupName) -> WatchStream;

    /// Shows others that the holder of the term with this nonce lives, until the returned guard is
    /// dropped, this process dies, or the backend has not heard from it for some time. Returns
    /// `None` if the backend does not support this, or its address does not enable it.
    ///
    /// Call it inside a Tokio runtime.
    fn appear(&self, group: &GroupName, nonce: Nonce) -> Option<Presence> {
        let _ = (group, nonce);
        None
    }

    /// Resolves when the holder of the term with this nonce was seen to be present, and is gone. It
    /// never resolves if the holder was not seen.
    ///
    /// It is a hint, unless it is [`Gone::Ended`]: a holder that is cut off or paused counts as
    /// gone too, and may go on working until it notices. It must not be wrong about a holder that
    /// can reach the backend, and must not resolve only because this process was cut off itself.
    fn vanished(&self, group: &GroupName, nonce: Nonce) -> BoxFuture<'static, Gone> {
        let _ = (group, nonce);
        Box::pin(std::future::pending())
    }
}

/// Whether this process could campaign; the answer of [`Backend::check_rights`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Rights {
    /// The process has all rights that a campaign needs.
    Granted,
    /// The process lacks a right, and a campaign would fail until somebody grants it.
    ///
    /// The text is one line for logs and for `/readyz`: what is refused, to which account if the
    /// server reports it, and what to do. It contains no secret.
    Missing(String),
    /// The backend cannot tell.
    Unknown,
}

/// How a holder disappeared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It is no longer seen. It may be cut off or paused, and continue later.
    Unseen,
    /// The system that ran the holder's process reports that it has ended, and how.
    Ended(String),
}

/// A stream of hints.
pub type WatchStream = BoxStream<'static, Hint>;

/// Dropping this stops showing that the holder of a term lives; see [`Backend::appear`].
#[must_use]
pub struct Presence {
    _guard: Box<dyn Any + Send + Sync>,
}

/// A body and the version it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The version of this body.
    pub version: Version,
    /// The body.
    pub body: Vec<u8>,
}

/// A key that exists, and the version it had when the list was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: Key,
    /// Its version.
    pub version: Version,
}

/// What a swap expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected<'a> {
    /// No body has this key: create it.
    Absent,
    /// The body still has this version: replace it.
    At(&'a Version),
}

/// The known outcomes of a swap.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Swapped {
    /// The swap happened; the key has this version now.
    Committed(Version),
    /// The swap did not happen and never will: the key is not in the expected state.
    Conflict,
}

/// The known outcomes of an [`erase`](Backend::erase).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Erased {
    /// The key is gone.
    Gone,
    /// The erasure did not happen and never will: the key has another version, or is absent.
    Conflict,
    /// Nothing was done: this backend removes no keys. Leave a tombstone.
    Kept,
}

/// Why a swap failed, or why its outcome is unknown.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The write did not happen and never will. Trying again may help.
    #[error("nothing was written")]
    NotApplied(#[source] BoxError),
    /// The write may have happened, or may still happen.
    #[error("sent, but the outcome is unknown")]
    Unknown(#[source] BoxError),
    /// The write did not happen: the body is longer than the backend accepts. Trying again does not
    /// help.
    #[error("a body of {size} bytes is more than {limit}")]
    TooLarge {
        /// Length of the body.
        size: usize,
        /// The longest body that the backend accepts.
        limit: usize,
    },
}

/// Why a read or a list gave no answer. It says nothing about the stored data.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The backend was not reached, or failed. Trying again may help.
    #[error("not read")]
    Unavailable(#[source] BoxError),
    /// The stored data is damaged, foreign, or of a newer format, and must not be misread. Trying
    /// again does not help: a person must look at what the error names.
    #[error("cannot be trusted")]
    Damaged(#[source] BoxError),
}

/// Something may have changed. The default is that anything may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// What changed, if the backend can tell.
    pub key: Option<Key>,
    /// The new version, if the backend can tell. The writer of that version need not read it again.
    pub version: Option<Version>,
}

/// The limits of a backend.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest body, in bytes.
    pub largest_body: usize,
    /// The shortest interval between writes of one key that the backend sustains.
    pub shortest_interval: Duration,
    /// What should lie between writes of one key that are made all the time and that nobody waits
    /// for, such as checkpoints. More than the shortest interval where a store is shared with
    /// others, which such writes would slow down.
    pub regular_interval: Duration,
    /// From where the backend can be reached.
    pub reach: Reach,
}

/// From where a backend can be reached, and therefore where other candidates can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Inside this process.
    Process,
    /// From any process of this machine.
    Machine,
    /// From other machines too.
    Network,
}

impl Presence {
    /// Makes a presence that lasts until this guard is dropped.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self {
            _guard: Box::new(guard),
        }
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presence")
    }
}

impl Hint {
    /// Anything may have changed.
    pub const fn anything() -> Self {
        Self {
            key: None,
            version: None,
        }
    }
}

impl Limits {
    /// Refuses a body that is too long.
    ///
    /// # Errors
    ///
    /// [`Failure::TooLarge`].
    pub fn check(&self, body: &[u8]) -> Result<(), Failure> {
        if body.len() > self.largest_body {
            return Err(Failure::TooLarge {
                size: body.len(),
                limit: self.largest_body,
            });
        }
        Ok(())
    }
}
