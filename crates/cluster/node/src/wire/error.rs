//! [`WireError`]: why another node did not answer as wanted.

use std::time::Duration;

use http::StatusCode;

use super::Problem;

/// Why another node did not answer as wanted. Named for what the caller does next; the text is for
/// people and names the node.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// No connection was made. Nothing was sent.
    #[error("cannot connect to {to}: {why}")]
    Unreachable {
        /// `host:port`.
        to: String,
        /// Why.
        why: String,
    },
    /// It may have been processed, and no whole answer came.
    #[error("no answer from {to}: {why}")]
    Unanswered {
        /// `host:port`.
        to: String,
        /// Why.
        why: String,
    },
    /// As [`Unanswered`](Self::Unanswered): the answer did not come in time.
    #[error("no answer from {to} within {after:?}")]
    Late {
        /// `host:port`.
        to: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// Whatever answers there has not proven that it is a node of this cluster.
    #[error("what answers at {to} is no node of this cluster, or its secret is another: {said}")]
    Unproven {
        /// `host:port`.
        to: String,
        /// What it said, in short.
        said: String,
    },
    /// It refused, and says why.
    #[error("{to} refused with {}: {}{}{}", .problem.status, .problem.title, if .problem.detail.is_empty() { "" } else { ": " }, .problem.detail)]
    Refused {
        /// `host:port`.
        to: String,
        /// What it said.
        problem: Box<Problem>,
    },
    /// Its answer is proven but cannot be understood, perhaps because it is of another version.
    #[error("cannot understand the answer of {to}: {why}")]
    Misunderstood {
        /// `host:port`.
        to: String,
        /// Why.
        why: String,
    },
    /// The address or the request cannot be sent at all.
    #[error("cannot ask {to}: {why}")]
    Unsendable {
        /// What was to be the address.
        to: String,
        /// Why.
        why: String,
    },
}

impl WireError {
    /// What the other node said, if it refused.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            Self::Unreachable { .. }
            | Self::Unanswered { .. }
            | Self::Late { .. }
            | Self::Unproven { .. }
            | Self::Misunderstood { .. }
            | Self::Unsendable { .. } => None,
        }
    }

    /// Whether the other node says that it does not lead, or leads no more.
    pub fn is_not_leading(&self) -> bool {
        let status = self.problem().map(|problem| problem.status);
        status == Some(StatusCode::MISDIRECTED_REQUEST.as_u16())
    }
}
