//! The trait [`Backend`] and the types it speaks in.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use incumbent_core::{GroupName, Key, Nonce, Version};

/// Any error, as a cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Keeps bodies under keys, each with a version, changed by compare-and-swap only.
///
/// # What every implementation promises
///
/// - **Single key**: reads and swaps of one key are linearizable. A read returns the newest
///   committed body, and never one older than any that was returned or acknowledged before the read
///   began, on any connection and in any process.
/// - **Versions**: every successful swap gives the key a version it never had. They are compared
///   for equality only.
/// - **Atomic**: a swap happens whole or not at all, whatever is killed at whatever moment.
/// - **Honest outcomes**: [`Failure::Unknown`] whenever a request may still take effect,
///   [`Failure::NotApplied`] only when it cannot any more. If in doubt, `Unknown`. No retries
///   inside: a second request would hide the first one's outcome.
/// - **Never a guess**: a body that cannot be understood (damaged, foreign, of a newer format) is
///   an error that names it.
///
/// # Cancel safety
///
/// Dropping the future of a swap is an unknown outcome: it may still happen, also much later.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// What it can take, and where it can be reached from.
    fn limits(&self) -> Limits;

    /// The newest body of `key`, or `None` if there never was one.
    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread>;

    /// Replaces the body of `key` if it is still what `expected` says.
    ///
    /// A body longer than [`Limits::largest_body`] is refused as [`Failure::TooLarge`], and nothing
    /// is written.
    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure>;

    /// Removes `key` for good if it still has this version: nothing remains, not even a tombstone.
    ///
    /// It is a swap like any other: atomic, with honest outcomes. A body that is created under the
    /// key later has a version that the key never had. A backend that cannot do so removes nothing
    /// and returns [`Erased::Kept`].
    async fn erase(&self, key: &Key, version: &Version) -> Result<Erased, Failure> {
        let _ = (key, version);
        Ok(Erased::Kept)
    }

    /// The groups that have a key here, in their order. A list and no snapshot, as
    /// [`list`](Self::list).
    async fn groups(&self) -> Result<Vec<GroupName>, Unread> {
        Err(Unread::Unavailable(
            "this backend cannot list its groups".into(),
        ))
    }

    /// Asks whether this process could campaign in `group`: whether the writes of a campaign would
    /// be accepted under its account. It changes no record.
    ///
    /// A standby calls this at its start and, as long as the answer is [`Rights::Missing`], again
    /// every so often. So missing rights show before the first failover needs them.
    ///
    /// [`Rights::Granted`] is no promise: rights can be taken away later, and a swap can fail for
    /// other reasons. The default is [`Rights::Unknown`]: this backend cannot tell.
    ///
    /// # Errors
    ///
    /// [`Unread::Unavailable`]: the backend did not answer. Nothing is known; ask again later.
    async fn check_rights(&self, group: &GroupName) -> Result<Rights, Unread> {
        let _ = group;
        Ok(Rights::Unknown)
    }

    /// All keys of a group that have a body, in the order of their text.
    ///
    /// It shows every key that was created and acknowledged before the call. It is a list and no
    /// snapshot: keys that are created meanwhile may be in it or not, and versions may be older or
    /// newer only for keys written meanwhile.
    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread>;

    /// Hints about changes in a group, from now on. The stream never ends by itself.
    ///
    /// Must be called inside a Tokio runtime. Costs one watch, however many keys there are.
    fn watch(&self, group: &GroupName) -> WatchStream;

    /// Shows to others that the holder of the term with this nonce lives: until the returned guard
    /// is dropped, this process dies, or the backend has not heard from it for some time. `None` if
    /// the backend cannot do so, or its address does not ask for it.
    ///
    /// Must be called inside a Tokio runtime.
    fn appear(&self, group: &GroupName, nonce: Nonce) -> Option<Presence> {
        let _ = (group, nonce);
        None
    }

    /// Ends when the holder of the term with this nonce was seen to be present, and is gone. Never
    /// ends if it was not seen.
    ///
    /// A hint, unless it is [`Gone::Ended`]: a holder that is cut off or paused counts as gone too,
    /// and may go on working until it notices. It must not be wrong about a holder that can reach
    /// the backend, and must not end only because this process was cut off itself.
    fn vanished(&self, group: &GroupName, nonce: Nonce) -> BoxFuture<'static, Gone> {
        let _ = (group, nonce);
        Box::pin(std::future::pending())
    }
}

/// Whether this process could campaign; the answer of [`Backend::check_rights`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Rights {
    /// It may do everything that a campaign needs.
    Granted,
    /// It may not, and a campaign would fail until somebody changes that.
    ///
    /// The text is one line for logs and for `/readyz`: what is refused, to which account if the
    /// server says so, and what to do. It holds no secret.
    Missing(String),
    /// The backend cannot tell.
    Unknown,
}

/// How a holder went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It is not seen any more. It may be cut off, or paused, and go on.
    Unseen,
    /// The system that ran its process reports that the process has ended, and how.
    Ended(String),
}

/// Hints as they come.
pub type WatchStream = BoxStream<'static, Hint>;

/// That the holder of a term lives is shown until this is dropped; see [`Backend::appear`].
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
    /// It happened; the key has this version now.
    Committed(Version),
    /// It did not happen, and this request never will: the key is not in the expected state.
    Conflict,
}

/// The known outcomes of an [`erase`](Backend::erase).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Erased {
    /// The key is gone.
    Gone,
    /// It did not happen, and this request never will: the key has not the expected version, or is
    /// absent.
    Conflict,
    /// Nothing was done: this backend removes no keys. Leave a tombstone.
    Kept,
}

/// Why a swap failed, or why its outcome is unknown.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It did not happen and never will. Trying again may help.
    #[error("nothing was written")]
    NotApplied(#[source] BoxError),
    /// It may have happened, or may still.
    #[error("sent, but the outcome is unknown")]
    Unknown(#[source] BoxError),
    /// It did not happen: the backend takes no body as long as this. Trying again does not help.
    #[error("a body of {size} bytes is more than {limit}")]
    TooLarge {
        /// Length of the body.
        size: usize,
        /// The most that is taken.
        limit: usize,
    },
}

/// Why a read or a list gave no answer. Says nothing about what is there.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The backend was not reached, or failed. Trying again may help.
    #[error("not read")]
    Unavailable(#[source] BoxError),
    /// Something is there that must not be understood wrongly: damaged, foreign, or of a newer
    /// format. Trying again does not help; a person has to look at what it names.
    #[error("cannot be trusted")]
    Damaged(#[source] BoxError),
}

/// Something may have changed. The default is that anything may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// What changed, if the backend can tell.
    pub key: Option<Key>,
    /// The version it changed to, if the backend can tell: its writer need not read it again.
    pub version: Option<Version>,
}

/// What a backend can take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest body, in bytes.
    pub largest_body: usize,
    /// Shortest time between two writes of one key that it bears for long.
    pub shortest_interval: Duration,
    /// From where it can be reached.
    pub reach: Reach,
}

/// From where a backend can be reached, and so where the other candidates can be.
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
    /// It is shown until this guard is dropped.
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
