//! Streams of HTTP/2 whose client has to go on taking its answer: [`Streams`].
//!
//! On HTTP/1.1 a client that takes nothing keeps the socket full, and
//! [`Stream`](crate::stream::Stream) notices. On HTTP/2 it just grants no room: the socket is idle,
//! the answer is never asked for its next piece, and would wait for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::sleep;

/// The most of an answer that is handed to HTTP/2 at once: the usual size of its frames. What is
/// handed over at once is not seen to flow, so it has to be little: a client is slow, and not
/// stalled, if it takes this much within its time.
pub(crate) const PIECE: usize = 16 * 1024;
/// How often a stream is looked at within the time that it has: it may last that much longer.
const LOOKS: u32 = 4;

/// Runs streams, and resets those whose client takes nothing for too long.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    patience: Duration,
}

/// How the answer of one stream gets on, as it says itself.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// The number of the piece that the client is to take; none while the leader is waited for.
    offered: AtomicU64,
}

tokio::task_local! {
    static FLOW: Arc<Flow>;
}

impl Streams {
    /// A client may take nothing for this long.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let patience = self.patience;
        tokio::spawn(async move {
            let flow = Arc::new(Flow::default());
            tokio::select! {
                biased;
                () = FLOW.scope(Arc::clone(&flow), stream) => {}
                // Dropping a stream resets it.
                () = flow.stalled(patience) => {
                    tracing::debug!("a client reads nothing of its answer; resetting its stream");
                }
            }
        });
    }
}

impl Flow {
    /// The flow of the stream that runs; `None` outside HTTP/2.
    pub(crate) fn current() -> Option<Arc<Self>> {
        FLOW.try_with(Arc::clone).ok()
    }

    /// Notes that this piece is there for the client; none if the leader is waited for.
    pub(crate) fn offers(&self, piece: Option<u64>) {
        self.offered.store(piece.unwrap_or(0), Ordering::Relaxed);
    }

    /// Waits until one piece was on offer for this long.
    async fn stalled(&self, patience: Duration) {
        let (mut last, mut looks) = (0, 0);
        while looks < LOOKS {
            sleep(patience / LOOKS).await;
            let now = self.offered.load(Ordering::Relaxed);
            let is_same = now != 0 && now == last;
            looks = if is_same { looks + 1 } else { 0 };
            last = now;
        }
    }
}
