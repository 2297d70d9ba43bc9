//! What all connections of one TCP gateway share: [`Shared`].

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::options::TcpOptions;
use super::reach::Reach;
use crate::leader::board::Board;

/// What all connections of one TCP gateway share.
pub(super) struct Shared {
    pub(super) options: TcpOptions,
    pub(super) board: Arc<Board>,
    pub(super) reach: Reach,
    /// Limits the connections. Each accepting task holds one permit.
    pub(super) permits: Arc<Semaphore>,
    pub(super) connections: AtomicUsize,
    pub(super) follower: JoinHandle<()>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.follower.abort();
    }
}
