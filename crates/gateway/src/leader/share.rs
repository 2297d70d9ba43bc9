//! The place of one request among those that share a connection of HTTP/2: [`Share`].

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Notify;

use super::wire::{Heard, Wire};
use crate::request::tape::Playback;

/// A connection of HTTP/2, as its task drives it.
pub(super) type Driven = http2::Connection<TokioIo<Wire>, Playback, TokioExecutor>;

/// How a connection is used.
pub(super) struct Load {
    pub(super) busy: AtomicUsize,
    pub(super) was_used: AtomicBool,
    /// It takes no more requests.
    pub(super) is_retired: AtomicBool,
    pub(super) heard: Arc<Heard>,
    /// The connection itself, until it ends: it knows how many streams the leader allows.
    pub(super) driven: Arc<Mutex<Option<Driven>>>,
}

/// The place of one request on a connection; free again when dropped.
pub(crate) struct Share {
    pub(super) load: Arc<Load>,
    pub(super) changed: Arc<Notify>,
}

impl Share {
    /// No further request uses the connection.
    pub(crate) fn retire(&self) {
        self.load.is_retired.store(true, Ordering::SeqCst);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.load.busy.fetch_sub(1, Ordering::SeqCst);
        self.changed.notify_one();
    }
}

pub(super) fn lock(driven: &Mutex<Option<Driven>>) -> MutexGuard<'_, Option<Driven>> {
    driven.lock().unwrap_or_else(PoisonError::into_inner)
}
