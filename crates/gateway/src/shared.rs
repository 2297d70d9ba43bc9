//! What all requests of one gateway share: [`Shared`].

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use futures::stream::BoxStream;
use incumbent::{Seal, View};
use incumbent_tls::TlsError;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

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
    /// Whether nothing is held any longer.
    closing: watch::Sender<bool>,
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
    pub(crate) fn new(views: BoxStream<'static, View>, options: Options) -> Result<Self, TlsError> {
        let front = options.tls.as_ref().map(Front::new).transpose()?;
        let board = Arc::new(Board::default());
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
            closing: watch::Sender::new(false),
            name: format!("incumbent-{:016x}", rand::random::<u64>()),
            options,
            board,
            connector,
            allowance,
            front,
            follower,
        })
    }

    /// Lets go of all that is held, and holds nothing from now on.
    pub(crate) fn hold_no_longer(&self) {
        self.closing.send_replace(true);
    }

    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Waits until nothing is held any longer.
    pub(crate) async fn closing(&self) {
        // The sender is here, so there is one.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
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
