//! [`Standing`]: whether the leader refuses this node because of its token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;

use crate::api::Problem;
use crate::wire::{OTHER_TOKEN, WireError};

/// What the leader has said last about the token of this node. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Standing {
    has_other_token: Arc<AtomicBool>,
}

impl Standing {
    /// Takes note of what became of a report to the leader. No answer says nothing.
    pub(crate) fn note<T>(&self, outcome: &Result<T, WireError>) {
        match outcome {
            Ok(_) => self.is_well(),
            Err(error) => {
                let is_other = error.problem().is_some_and(|said| said.is(OTHER_TOKEN));
                if is_other {
                    self.has_other_token.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    /// The leader takes this node in, or is this node.
    pub(crate) fn is_well(&self) {
        self.has_other_token.store(false, Ordering::Relaxed);
    }

    /// Refuses everything while the leader refuses this node.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if !self.has_other_token.load(Ordering::Relaxed) {
            return Ok(());
        }
        let detail = "This node has another token than the leader of its cluster, or one of them has none, \
                      so it does nothing for users. Ask another node. Start this one with the token of \
                      the cluster (--token-file, or INCUMBENT_TOKEN_FILE).";
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            OTHER_TOKEN,
            "The token of this node is not the cluster's",
            detail,
        ))
    }
}
