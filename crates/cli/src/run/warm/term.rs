//! A term that this node holds, as the driver needs it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use incumbent::{Guard, HolderName, Leadership, LostBecause, Time};
use incumbent_guard::Leash;
use tokio::task::JoinHandle;

use super::command::bound;
use crate::run::records_api::Office;

/// A future that the driver keeps.
pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

pub(super) struct Held {
    pub(super) office: Arc<Office>,
    pub(super) guard: Guard,
    /// `None` once it has been told.
    pub(super) lost: Option<Boxed<LostBecause>>,
    pub(super) asked: Option<Boxed<Option<HolderName>>>,
    /// Passes renewals on to the guard of the command.
    pub(super) feeder: Option<JoinHandle<()>>,
}

impl Held {
    pub(super) fn new(leadership: Leadership) -> Self {
        Self {
            guard: leadership.guard(),
            lost: Some(Box::pin(leadership.lost())),
            asked: Some(Box::pin(leadership.asked_to_resign())),
            office: Office::new(leadership),
            feeder: None,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(feeder) = &self.feeder {
            feeder.abort();
        }
    }
}

/// Passes each renewal of the lease on to a guard, under this binding, until this is aborted. A
/// message that is late has a lower binding than what has replaced it.
pub(super) async fn feed(leash: Leash, guard: Guard, binding: u64, retry: Duration) {
    let mut sent = None;
    let mut tick = tokio::time::interval(retry / 8);
    loop {
        tick.tick().await;
        let now = guard.deadlines();
        // Once the term is over, the last deadlines stay in force.
        if sent == Some(now) || now.0 == Time::default() {
            continue;
        }
        if leash.bind(binding, bound(&guard)).is_ok() {
            sent = Some(now);
        }
    }
}
