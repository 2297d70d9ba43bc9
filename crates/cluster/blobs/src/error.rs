//! Why an operation on blobs did not succeed.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use crate::answer::{Answer, Meaning};

/// Any error.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// Why an operation on blobs did not succeed. Variants are named for the caller's next decision.
///
/// Messages name the URL of the blobs without anything secret. If a write fails in whatever way,
/// it may be repeated: no write replaces the content of another.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file. It was never written, or it was removed by command.
    #[error("{what} is not in the blobs at {at}")]
    NotFound {
        /// What was asked for.
        what: String,
        /// The URL of the blobs.
        at: String,
    },
    /// The blobs were not reached, or did not answer in time: try again later. If it was a write,
    /// it may still happen.
    #[error("the blobs at {at} are not available: {why}")]
    Unavailable {
        /// The URL of the blobs.
        at: String,
        /// What was being done or found.
        why: String,
        /// What the system says.
        #[source]
        source: Option<BoxError>,
    },
    /// This process has not the right to do that: a person has to grant it.
    #[error("the blobs at {at} are closed to this process: {why} was denied")]
    Denied {
        /// The URL of the blobs.
        at: String,
        /// What was being done.
        why: String,
        /// What the system says.
        #[source]
        source: BoxError,
    },
    /// There is no room left. Nothing was written: a person has to make room.
    #[error("the blobs at {at} are full: {why} failed")]
    Full {
        /// The URL of the blobs.
        at: String,
        /// What was being done.
        why: String,
        /// What the system says.
        #[source]
        source: BoxError,
    },
    /// The content is not what its name or its sender says. Nothing was kept: upload it again.
    #[error("{what} is damaged: expected {expected}, found {found}")]
    Damaged {
        /// What is damaged.
        what: String,
        /// What it should be, a digest in most cases.
        expected: String,
        /// What it is.
        found: String,
    },
    /// It was written by another version of this program: use that version, or a later one.
    #[error("{what} has format {found}, and this version reads format {known}")]
    OtherVersion {
        /// What has it.
        what: String,
        /// Its format.
        found: u32,
        /// The format of this version.
        known: u32,
    },
    /// More than the limit. Nothing was written: make it smaller, or raise the limit.
    #[error("{what} has more than {limit} bytes, which is the limit")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The blobs belong to another cluster, or to none yet. Nothing was changed: a person has to
    /// decide.
    #[error(
        "the blobs at {at} belong to {}, and this is cluster {ours}: give each cluster a place of its own (--blobs), or, if \
         the other cluster is gone for good, empty this one first",
        match theirs { Some(theirs) => format!("cluster {theirs}"), None => "no cluster yet".to_owned() }
    )]
    NotOurs {
        /// The URL of the blobs.
        at: String,
        /// The cluster of this process.
        ours: String,
        /// The cluster whose id is in the blobs, if there is one.
        theirs: Option<String>,
    },
    /// The URL cannot be used for blobs: correct it.
    #[error("{url} cannot hold blobs: {why}")]
    Address {
        /// The URL, or its scheme if the rest may be secret.
        url: String,
        /// What is wrong, and what would be right.
        why: String,
        /// What the system says, if it was asked.
        #[source]
        source: Option<io::Error>,
    },
    /// A name that must not become part of a path: correct it.
    #[error("{what} must not be {name:?}: {allowed}")]
    Name {
        /// What the name is for.
        what: &'static str,
        /// The name, cut short if it is long.
        name: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The sender of an upload broke off. Nothing was kept; the blobs are not to blame.
    #[error("the upload broke off after {received} bytes")]
    Sender {
        /// How much had arrived.
        received: u64,
        /// What the sender's stream says.
        #[source]
        source: BoxError,
    },
    /// The file that was to be fetched cannot be written here. The blobs are not to blame.
    #[error("cannot write {}", path.display())]
    Target {
        /// The file on this machine.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Whether the blobs themselves are to blame (gone, slow, full, closed to this process), and
    /// not what was asked of them. A job that meets this waits for the blobs; no task has failed.
    pub fn is_outage(&self) -> bool {
        match self {
            Error::Unavailable { .. } | Error::Denied { .. } | Error::Full { .. } => true,
            Error::NotFound { .. }
            | Error::Damaged { .. }
            | Error::OtherVersion { .. }
            | Error::TooLarge { .. }
            | Error::NotOurs { .. }
            | Error::Address { .. }
            | Error::Name { .. }
            | Error::Sender { .. }
            | Error::Target { .. } => false,
        }
    }

    /// From what the system says about `doing`, as in "storing artifact 5f0c…".
    pub(crate) fn of_io(at: &str, doing: &str, source: io::Error) -> Self {
        let (at, why) = (at.to_owned(), doing.to_owned());
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Error::Denied {
                at,
                why,
                source: source.into(),
            },
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Error::Full {
                at,
                why,
                source: source.into(),
            },
            _ => Error::Unavailable {
                at,
                why: format!("{why} failed"),
                source: Some(source.into()),
            },
        }
    }

    /// From what the library says about `doing`. Absence has been looked at before.
    pub(crate) fn of_store(at: &str, doing: &str, error: object_store::Error) -> Self {
        if at.starts_with("s3:") {
            return Self::of_answer(at, doing, Answer::of(&error));
        }
        if let Some(source) = system_error(&error) {
            return Self::of_io(at, doing, source);
        }
        let (at, why) = (at.to_owned(), doing.to_owned());
        match error {
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => Error::Denied {
                at,
                why,
                source: error.into(),
            },
            other => Error::Unavailable {
                at,
                why: format!("{why} failed"),
                source: Some(other.into()),
            },
        }
    }

    fn of_answer(at: &str, doing: &str, answer: Answer) -> Self {
        let (at, why) = (at.to_owned(), doing.to_owned());
        match answer.meaning() {
            Meaning::Denied => Error::Denied {
                at,
                why,
                source: answer.into(),
            },
            Meaning::Full => Error::Full {
                at,
                why,
                source: answer.into(),
            },
            Meaning::Unavailable => Error::Unavailable {
                at,
                why: format!("{why} failed"),
                source: Some(answer.into()),
            },
        }
    }

    /// What a store over the network said, if it is the cause.
    pub(crate) fn answer(&self) -> Option<&Answer> {
        match self {
            Error::Unavailable {
                source: Some(source),
                ..
            }
            | Error::Denied { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }

    pub(crate) fn timed_out(at: &str, doing: &str) -> Self {
        Error::Unavailable {
            at: at.to_owned(),
            why: format!(
                "{doing} did not end within {} s",
                crate::store::OPERATION.as_secs()
            ),
            source: None,
        }
    }
}

/// What the system said, without what the library wraps around it: its messages repeat their
/// sources, and so would ours.
fn system_error(error: &object_store::Error) -> Option<io::Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(match found.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::new(found.kind(), found.to_string()),
            });
        }
        cause = error.source();
    }
    None
}
