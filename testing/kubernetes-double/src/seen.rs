//! The log of requests.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Instant;

use crate::verb::Verb;

/// How many requests are kept. The oldest are dropped first, long after a test has looked.
const REMEMBERED: usize = 100_000;

/// One request for a resource that has arrived. Discovery and health checks are not recorded.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The verb.
    pub verb: Verb,
    /// The plural, with the subresource if there is one: `configmaps`, `pods/status`.
    pub resource: String,
    /// The namespace; empty for none or all.
    pub namespace: String,
    /// The object's name; empty for none.
    pub name: String,
    /// The HTTP status of the answer; 0 if there is none: not yet, cut, or hanging.
    pub status: u16,
    /// The header `User-Agent`.
    pub user_agent: String,
    /// The length of the request's body.
    pub bytes_in: u64,
    /// The length of the answer's body as far as it was sent; that of a watch grows.
    pub bytes_out: u64,
    /// When all of it had arrived.
    pub at: Instant,
}

/// A request whose answer is not finished.
#[derive(Debug)]
pub(crate) struct Entry {
    request: Seen,
    pub(crate) status: AtomicU16,
    pub(crate) bytes_out: AtomicU64,
}

/// The requests so far.
#[derive(Debug, Default)]
pub(crate) struct Log(VecDeque<Arc<Entry>>);

impl Log {
    pub(crate) fn add(&mut self, request: Seen) -> Arc<Entry> {
        let entry = Arc::new(Entry {
            request,
            status: AtomicU16::new(0),
            bytes_out: AtomicU64::new(0),
        });
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(entry.clone());
        entry
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.0.iter().map(|entry| entry.now()).collect()
    }

    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

impl Entry {
    fn now(&self) -> Seen {
        let (status, bytes_out) = (
            self.status.load(Ordering::Relaxed),
            self.bytes_out.load(Ordering::Relaxed),
        );
        Seen {
            status,
            bytes_out,
            ..self.request.clone()
        }
    }
}
