//! Errors, named for what the caller does next.

use incumbent_backend::{BadAddress, BadName, BoxError, RecordName};
use incumbent_core::root::BadBody;
use incumbent_core::{EndpointName, Epoch};

/// Why an operation did not succeed. Variants are named for the caller's next decision.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This leadership is over: a newer leader has taken over, or may have. No record was written:
    /// stop leading.
    #[error("fenced: {}", fenced(*ours, *current))]
    Fenced {
        /// The epoch of this leadership.
        ours: Epoch,
        /// The epoch of the newer leader, if it is known; otherwise this leadership ended by
        /// itself.
        current: Option<Epoch>,
    },
    /// Somebody wrote the record since this handle read it: another handle of the same leader, or a
    /// person by hand. Or an earlier outcome was unknown. Nothing was written: open the record
    /// again and decide anew.
    #[error("conflict: {record} is not what this handle read or wrote last")]
    Conflict {
        /// The record.
        record: RecordName,
    },
    /// The record would be too large. Nothing was written: split it, or store a pointer.
    #[error("{record} would have {size} bytes of data, more than {limit}")]
    TooLarge {
        /// The record.
        record: RecordName,
        /// Bytes of data.
        size: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// The write may have taken effect, or may take effect later. Open the record again before
    /// deciding anything.
    #[error("the write to {record} was sent, and its outcome is unknown")]
    Unknown {
        /// The record.
        record: RecordName,
        /// What happened last.
        #[source]
        cause: BoxError,
    },
    /// The backend was not reached, or failed. Nothing was written: try again later.
    #[error("the store is not available")]
    Unavailable(#[source] BoxError),
    /// What is stored under this name cannot be understood: it is damaged, foreign, or of a newer
    /// format. Nothing was written: a person has to look at it.
    #[error("what is stored as {what} cannot be understood")]
    Damaged {
        /// The key.
        what: String,
        /// What is wrong with it.
        #[source]
        cause: BoxError,
    },
    /// The data of the record is JSON, but not of the type that was asked for. Nothing was written:
    /// ask for another type.
    #[error("the data of {record} is not of the type asked for")]
    WrongType {
        /// The record.
        record: RecordName,
        /// What the parser says.
        #[source]
        cause: BoxError,
    },
    /// A limit is exceeded. Nothing was written: ask for less.
    #[error("{what} is more than the limit of {limit}")]
    Limit {
        /// What is too much.
        what: &'static str,
        /// The most that is taken.
        limit: usize,
    },
    /// The address of an endpoint cannot be published. Nothing was written: correct the address.
    #[error("the address of endpoint {name} cannot be published: {why}")]
    BadEndpoint {
        /// The endpoint.
        name: EndpointName,
        /// What is wrong with the address.
        why: &'static str,
    },
    /// There is no leader that could be asked.
    #[error("nobody leads")]
    NoLeader,
}

/// Why a store or a group could not be opened. Nothing was begun: correct the configuration.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is malformed, or its backend cannot use it.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The name is malformed.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The place that the address names cannot be used.
    #[error("cannot open {address}")]
    Place {
        /// The address.
        address: String,
        /// Why.
        #[source]
        cause: BoxError,
    },
    /// The liveness endpoint cannot listen.
    #[error("cannot listen for connections to the liveness endpoint on {address}")]
    Liveness {
        /// The address.
        address: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
}

fn fenced(ours: Epoch, current: Option<Epoch>) -> String {
    match current {
        Some(current) => {
            format!("epoch {ours} is behind {current}, whose leader has taken over")
        }
        None => format!("the leadership of epoch {ours} is over"),
    }
}

impl Error {
    pub(crate) fn damaged(what: impl ToString, cause: impl Into<BoxError>) -> Self {
        Self::Damaged {
            what: what.to_string(),
            cause: cause.into(),
        }
    }

    pub(crate) fn bad_body(what: impl ToString, cause: BadBody) -> Self {
        Self::damaged(what, cause)
    }

    /// What a person can do about damage, if the store still gives a version of what is damaged.
    /// Otherwise the store says it itself, in the cause.
    pub fn remedy(&self) -> Option<&'static str> {
        let Self::Damaged { what, cause } = self else {
            return None;
        };
        match cause.downcast_ref::<BadBody>()? {
            // It says so itself.
            BadBody::Newer { .. } => None,
            BadBody::Foreign { .. } if what.ends_with("/@root") => {
                Some("remove it from the store, and the next leader makes it anew")
            }
            BadBody::Foreign { .. } if what.ends_with("/@floor") => {
                Some("stop all nodes of the group, and remove it from the store")
            }
            BadBody::Foreign { .. } => Some(
                "`incumbent records put` or `rm` with --force replaces it, and what it held is lost",
            ),
        }
    }

    /// A word for the outcome, for metrics and programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Fenced { .. } => "fenced",
            Self::Conflict { .. } => "conflict",
            Self::TooLarge { .. } => "too_large",
            Self::Unknown { .. } => "unknown",
            Self::Unavailable(_) => "unavailable",
            Self::Damaged { .. } => "damaged",
            Self::WrongType { .. } => "wrong_type",
            Self::Limit { .. } => "limit",
            Self::BadEndpoint { .. } => "bad_endpoint",
            Self::NoLeader => "no_leader",
        }
    }
}
