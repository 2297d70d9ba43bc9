//! [`Mail`] and [`Effect`]: what reaches a node, and what it does.

use std::fmt;

use incumbent_core::write::Step;
use incumbent_core::{Nonce, Version};

use crate::clock::Instant;
use crate::history::{Fact, Item};
use crate::store::{self, Call, Reply};

/// What reaches a node.
#[derive(Clone, Debug)]
pub enum Mail {
    /// It wanted to be woken at this moment.
    Tick {
        /// The moment, which may have passed long ago. A later wish revokes it.
        at: Instant,
    },
    /// A request was answered.
    Answer {
        /// The request.
        request: u64,
        /// The answer.
        reply: Reply,
    },
    /// A request was refused on the way: nothing was written.
    Refused {
        /// The request.
        request: u64,
    },
    /// A request was waited for long enough.
    TimedOut {
        /// The request.
        request: u64,
    },
    /// A watch hints at the root.
    Hint {
        /// Its version, if known.
        version: Option<Version>,
    },
    /// The holder of a term is dead.
    Dead {
        /// The term.
        nonce: Nonce,
    },
    /// A write of a record goes on.
    Resume {
        /// Which.
        job: u64,
        /// With what.
        step: Step,
    },
    /// The application does something.
    Work,
}

/// What a node does.
#[derive(Debug)]
pub enum Effect {
    /// Something happened.
    Fact(Fact),
    /// A request to the store.
    Send {
        /// Its number.
        request: u64,
        /// What it is about.
        item: Item,
        /// What it asks.
        call: Call,
    },
    /// Mail to itself.
    Wake {
        /// When.
        at: Instant,
        /// What.
        mail: Mail,
    },
}

impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer {
                request,
                reply: Reply::Found(Some((version, body))),
            } => {
                let body = store::describe(body);
                write!(f, "answer to {request}: at version {version}: {body:?}")
            }
            Self::Answer { request, reply } => write!(f, "answer to {request}: {reply:?}"),
            other => write!(f, "{other:?}"),
        }
    }
}
