//! [`MakeTaskManagers`]: the maker of TaskManagers while slots are missing, and its part of a term.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use incumbent::Guard;
use incumbent_cluster_core::demand::{Demand, Supply};
use incumbent_cluster_core::leader::{Leader, LeaderEvent, Story};
use incumbent_cluster_core::{Seal, Time};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::told::tell;
use crate::node::Node;

/// How often what the jobs need is looked at. A look costs microseconds for each TaskManager and
/// each gang that waits, and nobody makes a TaskManager faster than that.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Makes TaskManagers while slots are missing, and lets them go when nobody needs them.
pub trait MakeTaskManagers: Send + Sync {
    /// Works for one term of this process. It is dropped when the term is over: then what it has
    /// sent may still be done, and the next leader must be able to cope with that.
    fn make(&self, term: SupplyTerm) -> BoxFuture<'_, ()>;
}

/// One term, as the maker of TaskManagers sees it.
pub struct SupplyTerm {
    node: Node,
    seal: Seal,
    guard: Guard,
    demand: watch::Receiver<Demand>,
    events: mpsc::Sender<LeaderEvent>,
}

impl SupplyTerm {
    /// The process.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The seal of the term.
    pub fn seal(&self) -> Seal {
        self.seal
    }

    /// Whether this process may act: to be asked before each request.
    pub fn may_act(&self) -> bool {
        self.guard.is_valid()
    }

    /// What the jobs need, now.
    pub fn demand(&mut self) -> Demand {
        self.demand.borrow_and_update().clone()
    }

    /// Waits until what the jobs need has changed; for ever if the term is over.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn demand_changed(&mut self) {
        if self.demand.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// Says to the leader what is done.
    pub async fn supplied(&self, supply: Box<Supply>) {
        self.send(LeaderEvent::Supplied(supply)).await;
    }

    /// Says to the leader that it may let this TaskManager go.
    pub async fn retire(&self, name: String) {
        self.send(LeaderEvent::Retire(name)).await;
    }

    /// Logs a line.
    pub fn tell(&self, story: &Story) {
        tell(self.node.name(), self.guard.epoch(), story);
    }

    async fn send(&self, event: LeaderEvent) {
        // A term that is over wants nothing more.
        let _ = self.events.send(event).await;
    }
}

/// The part of a term that makes TaskManagers. Dropping it ends that.
pub(super) struct Supplying {
    demand: watch::Sender<Demand>,
    running: JoinSet<()>,
    next_at: Time,
    is_due: bool,
}

impl Supplying {
    pub(super) fn begin(
        maker: &Arc<dyn MakeTaskManagers>,
        node: &Node,
        seal: Seal,
        guard: Guard,
        events: mpsc::Sender<LeaderEvent>,
    ) -> Self {
        let demand = watch::Sender::new(Demand::default());
        let term = SupplyTerm {
            node: node.clone(),
            seal,
            guard,
            demand: demand.subscribe(),
            events,
        };
        let maker = Arc::clone(maker);
        let mut running = JoinSet::new();
        running.spawn(async move { maker.make(term).await });
        Self {
            demand,
            running,
            next_at: node.now().time,
            is_due: true,
        }
    }

    /// Something has happened: what the jobs need may be something else.
    pub(super) fn look(&mut self, leader: &Leader, now: Time) {
        self.is_due = now < self.next_at;
        if self.is_due {
            return;
        }
        self.next_at = now + LOOK_EVERY;
        let demand = leader.demand(now);
        self.demand.send_if_modified(|before| {
            let has_changed = *before != demand;
            if has_changed {
                *before = demand;
            }
            has_changed
        });
    }

    /// When to look again, if a look is due that came too early.
    pub(super) fn until_due(&self, now: Time) -> Option<Duration> {
        self.is_due.then(|| self.next_at.since(now))
    }

    /// Drops what is under way, and waits until it is gone.
    pub(super) async fn end(mut self) {
        self.running.shutdown().await;
    }
}
