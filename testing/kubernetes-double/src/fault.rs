//! Faults that a test orders.

use std::time::Duration;

use crate::verb::Verb;

/// A fault for some requests.
///
/// Faults are tried in the order in which they were injected. The first one that matches the
/// request and is due strikes it.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which requests it matches.
    pub on: Match,
    /// How many of them pass unharmed first.
    pub skip: u32,
    /// How many it strikes then; `None` is all.
    pub times: Option<u32>,
    /// What happens to them.
    pub how: How,
}

/// Which requests a fault matches. `None` matches any; three times `None` also matches discovery
/// and health checks.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// The verb.
    pub verb: Option<Verb>,
    /// The plural: `configmaps`. The subresource `pods/status` counts as `pods` too.
    pub resource: Option<String>,
    /// The object's name. A list or a watch has one if its field selector names one.
    pub name: Option<String>,
}

/// What happens to a request that a fault strikes.
#[derive(Clone, Debug)]
pub enum How {
    /// Nothing is done, and this is the answer.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The reason in the body: `InternalError`.
        reason: String,
        /// The message in the body.
        message: String,
        /// Seconds, for the header `Retry-After` and the body's details.
        retry_after: Option<u32>,
    },
    /// Nothing is done, and the connection is closed.
    CutBefore,
    /// It is done, and the connection is closed without an answer.
    CutAfter,
    /// It is done, and the connection is closed after half of the answer's body; for a watch, after
    /// half of the first event.
    CutInAnswer,
    /// It is done late, or answered late.
    Delay {
        /// How long before it is done.
        before: Duration,
        /// How long between doing and answering.
        after: Duration,
    },
    /// Nothing is done and nothing is answered, until the client leaves or the connection is cut.
    HangBefore,
    /// It is done, and nothing is answered, until the client leaves or the connection is cut.
    HangAfter,
}

/// Names an injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultId(u64);

/// The present faults.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    next: u64,
    all: Vec<Injected>,
}

#[derive(Debug)]
struct Injected {
    id: FaultId,
    fault: Fault,
    struck: u32,
}

impl Match {
    /// Any request.
    pub fn any() -> Match {
        Match::default()
    }

    /// The requests with this verb for this resource.
    pub fn on(verb: Verb, resource: &str) -> Match {
        Match {
            verb: Some(verb),
            resource: Some(resource.to_owned()),
            name: None,
        }
    }

    fn has(&self, verb: Option<Verb>, resource: &str, name: &str) -> bool {
        let main = resource.split('/').next().unwrap_or_default();
        self.verb.is_none_or(|it| Some(it) == verb)
            && self
                .resource
                .as_deref()
                .is_none_or(|it| it == resource || it == main)
            && self.name.as_deref().is_none_or(|it| it == name)
    }
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) -> FaultId {
        let id = FaultId(self.next);
        self.next += 1;
        self.all.push(Injected {
            id,
            fault,
            struck: 0,
        });
        id
    }

    pub(crate) fn remove(&mut self, id: FaultId) {
        self.all.retain(|it| it.id != id);
    }

    pub(crate) fn clear(&mut self) {
        self.all.clear();
    }

    pub(crate) fn struck(&self, id: FaultId) -> u32 {
        self.all
            .iter()
            .find(|it| it.id == id)
            .map_or(0, |it| it.struck)
    }

    /// What happens to this request.
    pub(crate) fn strike(&mut self, verb: Option<Verb>, resource: &str, name: &str) -> Option<How> {
        for it in self
            .all
            .iter_mut()
            .filter(|it| it.fault.on.has(verb, resource, name))
        {
            if it.fault.skip > 0 {
                it.fault.skip -= 1;
            } else if it.fault.times.is_none_or(|times| it.struck < times) {
                it.struck += 1;
                return Some(it.fault.how.clone());
            }
        }
        None
    }
}
