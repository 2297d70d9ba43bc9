//! [`Permission`]: whether this process could lead, asked before it campaigns.
//!
//! A role that may read and not write, or create and not update, shows only in a failover: the
//! candidate wins a term that it cannot make active, or none at all. So a node asks the backend
//! when it first campaigns. While rights are missing, it does not campaign, logs the reason once,
//! publishes it through [`Group::missing_rights`](crate::Group::missing_rights), and asks again
//! every lease duration. It also asks when a write of the root was refused, and every few minutes,
//! because rights can be taken away from a standby.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use incumbent_backend::outage::{News, Recovery};
use incumbent_backend::{Rights, Unread, causes};
use incumbent_core::election::{Event, SwapAnswer};

use super::{Node, Setup};
use crate::settle::TimedOut;

/// A node whose rights were granted asks again after so many lease durations: five minutes with the
/// default lease. That costs nearly nothing, and the next failover is usually later.
const ASK_AGAIN_LEASES: u32 = 20;

/// What is known of the rights of this process.
#[derive(Default)]
pub(super) struct Permission {
    answer: LastAnswer,
    question: Option<Question>,
}

/// A question that is under way, or will be asked after a pause.
struct Question {
    urgency: Urgency,
    answer: BoxFuture<'static, Result<Rights, Unread>>,
}

/// Whether a question may be replaced by one that is asked sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    Now,
    Later,
}

/// The last answer that counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LastAnswer {
    #[default]
    None,
    /// It may campaign, as far as anybody knows.
    Granted,
    Missing,
}

impl Permission {
    /// Waits for the answer to the question under way.
    pub(super) async fn answer(&mut self) -> Result<Rights, Unread> {
        let Some(question) = &mut self.question else {
            return std::future::pending().await;
        };
        let answer = (&mut question.answer).await;
        self.question = None;
        answer
    }

    fn ask(&mut self, setup: &Setup, urgency: Urgency, pause: Duration) {
        let (backend, group) = (Arc::clone(&setup.backend), setup.group.clone());
        let timeout = setup.config.timing.request_timeout();
        let answer = Box::pin(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            match tokio::time::timeout(timeout, backend.check_rights(&group)).await {
                Ok(answer) => answer,
                Err(_) => Err(Unread::Unavailable(TimedOut(timeout).into())),
            }
        });
        self.question = Some(Question { urgency, answer });
    }

    fn is_asking_now(&self) -> bool {
        let question = self.question.as_ref();
        question.is_some_and(|question| question.urgency == Urgency::Now)
    }
}

impl Node {
    /// Begins to campaign if that is wanted and allowed. Asks first, if it was not asked yet.
    pub(super) fn campaign(&mut self) -> Option<Event> {
        self.campaigner.as_ref()?;
        match self.permission.answer {
            LastAnswer::Granted => return Some(Event::Campaign),
            LastAnswer::None if !self.permission.is_asking_now() => {
                self.permission
                    .ask(&self.setup, Urgency::Now, Duration::ZERO);
            }
            LastAnswer::None | LastAnswer::Missing => {}
        }
        None
    }

    /// What an answer about the rights means for the campaign.
    pub(super) fn permitted(&mut self, answer: Result<Rights, Unread>) -> Option<Event> {
        let again = self.setup.config.timing.lease();
        match answer {
            Ok(granted @ (Rights::Granted | Rights::Unknown)) => {
                self.permission.answer = LastAnswer::Granted;
                if granted == Rights::Granted {
                    let pause = again * ASK_AGAIN_LEASES;
                    self.permission.ask(&self.setup, Urgency::Later, pause);
                }
                if let Recovery::Over { .. } = self.rights().worked() {
                    tracing::info!(
                        group = %self.setup.group,
                        node = %self.setup.config.holder,
                        "the store accepts this process as a leader now; it campaigns if wanted"
                    );
                }
                self.campaign()
            }
            Ok(Rights::Missing(reason)) => {
                self.permission.answer = LastAnswer::Missing;
                self.permission.ask(&self.setup, Urgency::Now, again);
                match self.rights().failed(&reason) {
                    News::Began | News::OtherReason => tracing::warn!(
                        group = %self.setup.group,
                        node = %self.setup.config.holder,
                        reason,
                        "this process could not lead, so it does not campaign; asking again in {again:?}"
                    ),
                    News::Known => tracing::debug!(reason, "this process still could not lead"),
                }
                // A term that is led ends by itself if it cannot be renewed.
                self.term.is_none().then_some(Event::Abstain)
            }
            Err(error) => {
                tracing::debug!(
                    group = %self.setup.group,
                    error = causes(&error),
                    "the store did not say whether this process could lead"
                );
                self.permission.ask(&self.setup, Urgency::Now, again);
                if self.permission.answer == LastAnswer::Missing {
                    return None;
                }
                // Nothing speaks against it. If the store is away, the campaign waits for it.
                self.permission.answer = LastAnswer::Granted;
                self.campaign()
            }
        }
    }

    /// Asks again if the store refused a write of the root.
    pub(super) fn doubt_rights(&mut self, event: &Event) {
        let refused = matches!(event, Event::RootSwapped(SwapAnswer::NotApplied));
        if refused && !self.permission.is_asking_now() {
            // Not at once: if the store is only away, one question for each lease is enough.
            let pause = self.setup.config.timing.retry();
            self.permission.ask(&self.setup, Urgency::Now, pause);
        }
    }

    fn rights(&self) -> &incumbent_backend::outage::Outage {
        &self.setup.contact.troubles.rights
    }
}
