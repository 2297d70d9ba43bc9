//! Decides, in one table, whether a request took effect, from its answer or the lack of one.
//!
//! gRPC's codes alone are not enough: etcd sends `ResourceExhausted` for a request that it turned
//! away on arrival, and also for the request that it applied with the last room. So the table uses
//! the code and etcd's error text, which is part of etcd's interface (`rpctypes`).

use std::error::Error;
use std::fmt;

use incumbent_backend::causes;
use tonic::{Code, Status};

use crate::wire::Lost;

/// What is known about a request's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// The request never left this process.
    Unsent,
    /// The request was not done and never will be.
    Refused,
    /// The request may have been done, or may still be.
    Unsure,
}

/// What to do before the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing.
    GoOn,
    /// Log in again: the token is no longer valid.
    LogIn,
    /// Connect to another server, which may work.
    Leave,
}

/// What an answer means.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) known: Known,
    pub(crate) then: Then,
    /// The reason, for people.
    pub(crate) why: Why,
}

/// The message of the server or the connection, with advice. Never contains request data.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Why {
    text: String,
    /// Whether the server reports that the account lacks a right.
    denied: bool,
}

struct Row {
    /// The code to match; `None` matches any.
    code: Option<Code>,
    /// Text that the message must contain.
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

/// The first matching row counts. If no row matches, the result is [`Known::Unsure`].
const TABLE: &[Row] = &[
    // This text comes from an intermediary, which may have passed the request on.
    Row::of(None, "grpc-status header missing", Known::Unsure).then(Then::Leave),
    // etcd checks these before it proposes a request to the other members, or in each member before
    // it applies the request.
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
    // gRPC itself sends these, before etcd sees the request.
    Row::of(
        Some(Code::ResourceExhausted),
        "received message larger than max",
        Known::Refused,
    )
    .advice(TOO_LARGE),
    // Usually the request was not done. But etcd applies the transaction that uses the last room,
    // and answers it with this error too.
    Row::of(
        Some(Code::ResourceExhausted),
        "database space exceeded",
        Known::Unsure,
    )
    .advice(NO_SPACE),
    // A learner member checks this before everything else.
    Row::of(
        Some(Code::Unavailable),
        "not supported for learner",
        Known::Refused,
    )
    .then(Then::Leave),
    // "request timed out", "leader changed", "no leader", "server stopped": the request may have
    // been proposed, and may still be applied.
    Row::of(Some(Code::Unavailable), "", Known::Unsure).then(Then::Leave),
    Row::of(Some(Code::DataLoss), "", Known::Unsure)
        .then(Then::Leave)
        .advice("the servers do not agree on their data: see `etcdctl alarm list`"),
];

/// Classifies an answer.
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

/// The connection's loss, if that caused this status and no server sent it.
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
