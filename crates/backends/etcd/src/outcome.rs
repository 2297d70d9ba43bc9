//! What an answer, or its lack, says about a request: one table.
//!
//! gRPC's codes alone do not say it: `ResourceExhausted` is of a request that was turned away at
//! the door, and of one that was done when the last room was used. So the table goes by code and by
//! etcd's words, which are part of its interface (`rpctypes`).

use std::error::Error;
use std::fmt;

use incumbent_backend::causes;
use tonic::{Code, Status};

use crate::wire::Lost;

/// What is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It never left this process.
    Unsent,
    /// It was not done and will not be.
    Refused,
    /// It may have been done, or may still be.
    Unsure,
}

/// What to do before the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing.
    GoOn,
    /// The token is no good any more.
    LogIn,
    /// Another server may do better.
    Leave,
}

/// What an answer means.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) known: Known,
    pub(crate) then: Then,
    /// For people.
    pub(crate) why: Why,
}

/// What the server or the connection says, and what helps. Never what was sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Why {
    text: String,
    /// Whether the server says that the account lacks a right.
    denied: bool,
}

struct Row {
    /// Any, if it is `None`.
    code: Option<Code>,
    /// In the message.
    says: &'static str,
    known: Known,
    then: Then,
    advice: &'static str,
}

impl Row {
    const fn of(code: Option<Code>, says: &'static str, known: Known) -> Self {
        Self {
            code,
            says,
            known,
            then: Then::GoOn,
            advice: "",
        }
    }

    const fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }

    const fn advice(self, advice: &'static str) -> Self {
        Self { advice, ..self }
    }
}

const NO_TOKEN: &str =
    "the servers require a login: write user:password@ before the hosts of the address";
const TOO_LARGE: &str = "the servers' --max-request-bytes is less than what Incumbent needs, which is the default of 1.5 MiB";
const NO_SPACE: &str = "the store has reached its --quota-backend-bytes: compact and defragment it, or raise the quota, then `etcdctl alarm disarm`; \
     with --auto-compaction-retention it stays small";
const NOT_ALLOWED: &str =
    "the user needs a role with readwrite on all keys below the address's path";

/// The first row that fits counts. Whatever fits none is [`Known::Unsure`].
const TABLE: &[Row] = &[
    // The word of something between us and etcd, which may have passed the request on.
    Row::of(None, "grpc-status header missing", Known::Unsure).then(Then::Leave),
    // Checked before a request is proposed to the others, or by each server before it applies it.
    Row::of(Some(Code::Unauthenticated), "", Known::Refused).then(Then::LogIn),
    Row::of(
        Some(Code::InvalidArgument),
        "user name is empty",
        Known::Refused,
    )
    .then(Then::LogIn)
    .advice(NO_TOKEN),
    Row::of(
        Some(Code::InvalidArgument),
        "revision of auth store is old",
        Known::Refused,
    )
    .then(Then::LogIn),
    Row::of(
        Some(Code::InvalidArgument),
        "request is too large",
        Known::Refused,
    )
    .advice(TOO_LARGE),
    Row::of(Some(Code::InvalidArgument), "", Known::Refused),
    Row::of(Some(Code::PermissionDenied), "", Known::Refused).advice(NOT_ALLOWED),
    Row::of(Some(Code::Unimplemented), "", Known::Refused).then(Then::Leave),
    Row::of(
        Some(Code::ResourceExhausted),
        "too many requests",
        Known::Refused,
    ),
    // gRPC itself, before etcd sees the request.
    Row::of(
        Some(Code::ResourceExhausted),
        "received message larger than max",
        Known::Refused,
    )
    .advice(TOO_LARGE),
    // Mostly it was not done. But the transaction that uses the last room is applied, and answered
    // with this too.
    Row::of(
        Some(Code::ResourceExhausted),
        "database space exceeded",
        Known::Unsure,
    )
    .advice(NO_SPACE),
    // The check of a member that only learns comes first of all.
    Row::of(
        Some(Code::Unavailable),
        "not supported for learner",
        Known::Refused,
    )
    .then(Then::Leave),
    // "request timed out", "leader changed", "no leader", "server stopped": it may have been
    // proposed, and may still be applied.
    Row::of(Some(Code::Unavailable), "", Known::Unsure).then(Then::Leave),
    Row::of(Some(Code::DataLoss), "", Known::Unsure)
        .then(Then::Leave)
        .advice("the servers do not agree on their data: see `etcdctl alarm list`"),
];

/// What this answer means.
pub(crate) fn judge(status: &Status) -> Judgement {
    if let Some(lost) = lost(status) {
        let known = match lost {
            Lost::Unsent(_) => Known::Unsent,
            Lost::Broken(_) => Known::Unsure,
        };
        return Judgement {
            known,
            then: Then::Leave,
            why: Why::new(causes(lost)),
        };
    }
    let (code, message) = (status.code(), status.message());
    let fits = |row: &&Row| row.code.is_none_or(|c| c == code) && message.contains(row.says);
    let row = TABLE.iter().find(fits);
    let mut why = format!("{code:?}: {message}");
    if let Some(advice) = row
        .map(|row| row.advice)
        .filter(|advice| !advice.is_empty())
    {
        why = format!("{why}; {advice}");
    }
    Judgement {
        known: row.map_or(Known::Unsure, |row| row.known),
        then: row.map_or(Then::GoOn, |row| row.then),
        why: Why {
            text: why,
            denied: code == Code::PermissionDenied,
        },
    }
}

/// What became of the connection, if it is that and no answer.
fn lost(status: &Status) -> Option<&Lost> {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(lost) = error.downcast_ref() {
            return Some(lost);
        }
        cause = error.source();
    }
    None
}

impl Why {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            denied: false,
        }
    }

    pub(crate) fn is_denied(&self) -> bool {
        self.denied
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Why {}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
