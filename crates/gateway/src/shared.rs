//! What all requests of one gateway share: [`Shared`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::stream::BoxStream;
use incumbent::{Seal, View};
use incumbent_tls::TlsError;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

use crate::answer::room::Room;
use crate::leader::board::{self, Board, Looked};
use crate::leader::dial::Connector;
use crate::options::Options;
use crate::request::tape::Allowance;
use crate::tls::{Back, Front};

/// What all requests of one gateway share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) board: Arc<Board>,
    pub(crate) connector: Connector,
    pub(crate) allowance: Allowance,
    /// The name of this gateway in `Via`.
    pub(crate) name: String,
    pub(crate) front: Option<Front>,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) requests: Arc<Semaphore>,
    /// Permits to accept one more connection.
    pub(crate) doors: Arc<Semaphore>,
    /// The connections that there are.
    pub(crate) connections: AtomicUsize,
    /// What answers that are read whole may take.
    pub(crate) whole_answers: Arc<Room>,
    /// Whether nothing is waited for any longer.
    is_closing: AtomicBool,
    closing: Notify,
    follower: JoinHandle<()>,
}

impl Shared {
    /// Reads the files of TLS, and begins to follow the leader.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub(crate) fn new(
        board: Board,
        views: BoxStream<'static, View>,
        options: Options,
    ) -> Result<Self, TlsError> {
        let front = options.tls.as_ref().map(Front::new).transpose()?;
        let board = Arc::new(board);
        let looked = Looked {
            endpoints: options.endpoints.clone(),
            tls: options.upstream_tls.by_default,
        };
        let connector = Connector {
            tls: Back::new(&options.upstream_tls)?,
            patience: options.times.connect,
            stall: options.times.stall,
        };
        let limits = &options.limits;
        let semaphore =
            |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        let allowance = Allowance {
            kept: limits.kept_body,
            room: semaphore(limits.kept_bodies),
            longest: limits.body,
            stall: options.times.stall,
        };
        let follower = tokio::spawn(board::follow(Arc::clone(&board), views, looked));
        Ok(Self {
            places: semaphore(limits.held),
            requests: semaphore(limits.requests),
            doors: semaphore(limits.connections),
            connections: AtomicUsize::new(0),
            whole_answers: Room::new(limits.whole_answers),
            is_closing: AtomicBool::new(false),
            closing: Notify::new(),
            name: format!("incumbent-{:016x}", rand::random::<u64>()),
            options,
            board,
            connector,
            allowance,
            front,
            follower,
        })
    }

    /// The gateway ends soon: requests that wait for a leader or for its answer are answered now.
    pub(crate) fn wait_no_longer(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
        self.closing.notify_waiters();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::SeqCst)
    }

    /// Waits until nothing is waited for any longer.
    pub(crate) async fn closing(&self) {
        let mut closing = std::pin::pin!(self.closing.notified());
        // Before looking, so that the change is not missed.
        closing.as_mut().enable();
        if !self.is_closing() {
            closing.await;
        }
    }

    pub(crate) fn pass_certificate(&self) -> bool {
        self.front.as_ref().is_some_and(Front::pass_certificate)
    }

    /// Waits until an endless answer of the leader of this term should end, as somebody else has
    /// led for some time.
    pub(crate) async fn outlived(&self, term: Seal) {
        self.board.overtaken(term).await;
        tokio::time::sleep(self.options.times.outlived).await;
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.follower.abort();
    }
}
