//! [`Questions`]: who waits for which answer.

use std::collections::HashMap;

use incumbent_cluster_core::leader::{Answer, Ticket};
use tokio::sync::oneshot;

/// How many tickets are kept before those are dropped that nobody waits for any more.
const TIDY_AT: usize = 1024;

/// The questions that are not answered yet. Dropping it tells everybody that this node does not
/// lead.
#[derive(Default)]
pub(super) struct Questions {
    waiting: HashMap<Ticket, oneshot::Sender<Answer>>,
    last: u64,
}

impl Questions {
    /// A ticket for somebody who waits.
    pub(super) fn ticket(&mut self, answer: oneshot::Sender<Answer>) -> Ticket {
        if self.waiting.len() >= TIDY_AT && self.last.is_multiple_of(TIDY_AT as u64) {
            self.waiting.retain(|_, answer| !answer.is_closed());
        }
        let ticket = self.own_ticket();
        self.waiting.insert(ticket, answer);
        ticket
    }

    /// A ticket for the JobManager itself.
    pub(super) fn own_ticket(&mut self) -> Ticket {
        self.last += 1;
        Ticket(self.last)
    }

    /// Answers.
    pub(super) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        if let Some(waiting) = self.waiting.remove(&ticket) {
            // It may have gone away.
            let _ = waiting.send(answer);
        }
    }
}
