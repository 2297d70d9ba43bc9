//! What ends an answer that has begun before its body does: [`Ending`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use incumbent::Seal;
use tokio::time::{Instant, Sleep, sleep};

use crate::shared::Shared;

/// When to end an answer of the leader of one term: when the request takes too long in all; and
/// when somebody else leads.
///
/// A body that says how long it is comes to an end by itself. So it goes on after a change of
/// leader as long as something comes. A body without a length may go on for ever, and its client
/// would take the past for the present.
pub(crate) struct Ending {
    shared: Arc<Shared>,
    term: Seal,
    is_endless: bool,
    /// Until the request has taken too long.
    total: Option<Pin<Box<Sleep>>>,
    /// Until somebody else leads. Made when the body is first waited for: most are there by then.
    overtaken: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Until it ends, once somebody else leads.
    grace: Option<Pin<Box<Sleep>>>,
}

impl Ending {
    /// Of a request that came so long ago.
    pub(crate) fn new(shared: &Arc<Shared>, term: Seal, is_endless: bool, at: Duration) -> Self {
        let total = shared.options.times.total;
        Self {
            shared: Arc::clone(shared),
            term,
            is_endless,
            total: total.map(|total| Box::pin(sleep(total.saturating_sub(at)))),
            overtaken: None,
            grace: None,
        }
    }

    /// Whether it took too long.
    pub(crate) fn poll_total(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.total {
            Some(total) => total.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    /// Whether it is to end though a piece of it is there.
    pub(crate) fn poll_passing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let times = &self.shared.options.times;
        match &mut self.grace {
            Some(grace) if self.is_endless => return grace.as_mut().poll(cx),
            Some(grace) => grace.as_mut().reset(Instant::now() + times.stall),
            None if self.is_endless && self.shared.board.is_overtaken(self.term) => {
                self.grace = Some(Box::pin(sleep(times.outlived)));
            }
            None => {}
        }
        Poll::Pending
    }

    /// Whether it is to end while the leader is waited for.
    pub(crate) fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.grace.is_none() {
            let overtaken = self.overtaken.get_or_insert_with(|| {
                let (shared, term) = (Arc::clone(&self.shared), self.term);
                Box::pin(async move { shared.board.overtaken(term).await })
            });
            ready!(overtaken.as_mut().poll(cx));
            self.overtaken = None;
        }
        let times = &self.shared.options.times;
        let patience = match self.is_endless {
            true => times.outlived,
            false => times.stall,
        };
        let grace = self.grace.get_or_insert_with(|| Box::pin(sleep(patience)));
        grace.as_mut().poll(cx)
    }
}
