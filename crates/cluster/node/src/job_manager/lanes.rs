//! [`Lanes`]: the orders to each TaskManager, in a queue of its own.
//!
//! A TaskManager that is slow or gone delays nobody else. Orders to one TaskManager are sent one
//! request at a time, so none overtakes another; what has queued up meanwhile goes together.

use std::collections::HashMap;
use std::time::Duration;

use incumbent::Guard;
use incumbent_cluster_core::NodeNonce;
use incumbent_cluster_core::leader::LeaderEvent;
use incumbent_cluster_core::message::Order;
use metrics::counter;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::wire::{Client, ORDERS, Orders, Outcomes};

/// How many orders wait for one TaskManager: as many as a job has tasks, twice. More are
/// undelivered at once, and the leader gives them again.
const MOST_QUEUED: usize = 2048;

/// How many orders one request has at most: each may be 90 KiB as JSON, with the peers of a
/// thousand ranks, and a body has at most 16 MiB.
const MOST_TOGETHER: usize = 128;

/// How long a TaskManager may take to answer orders. It answers before it carries them out, so this
/// is a matter of the network and of a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The queues. Dropping it drops them and the request that each has under way.
pub(super) struct Lanes {
    lanes: HashMap<NodeNonce, Lane>,
    tasks: JoinSet<()>,
    client: Client,
    guard: Guard,
    events: mpsc::Sender<LeaderEvent>,
}

struct Lane {
    address: watch::Sender<String>,
    orders: mpsc::Sender<Box<Order>>,
    task: AbortHandle,
}

/// What the task of a lane has.
struct Sender {
    to: NodeNonce,
    address: watch::Receiver<String>,
    orders: mpsc::Receiver<Box<Order>>,
    client: Client,
    guard: Guard,
    events: mpsc::Sender<LeaderEvent>,
}

impl Lanes {
    pub(super) fn new(client: Client, guard: Guard, events: mpsc::Sender<LeaderEvent>) -> Self {
        Self {
            lanes: HashMap::new(),
            tasks: JoinSet::new(),
            client,
            guard,
            events,
        }
    }

    /// Orders to this TaskManager go to this address from now on.
    pub(super) fn aim(&mut self, to: NodeNonce, address: &str) {
        if let Some(lane) = self.lanes.get(&to) {
            lane.address.send_if_modified(|known| {
                let is_other = known != address;
                if is_other {
                    address.clone_into(known);
                }
                is_other
            });
            return;
        }
        let (orders, queue) = mpsc::channel(MOST_QUEUED);
        let (address, at) = watch::channel(address.to_owned());
        let sender = Sender {
            to,
            address: at,
            orders: queue,
            client: self.client.clone(),
            guard: self.guard.clone(),
            events: self.events.clone(),
        };
        while self.tasks.try_join_next().is_some() {}
        let task = self.tasks.spawn(sender.run());
        let lane = Lane {
            address,
            orders,
            task,
        };
        self.lanes.insert(to, lane);
    }

    /// Queues this order.
    ///
    /// # Errors
    ///
    /// What to tell the machine: it is not going to be delivered.
    pub(super) fn send(&self, order: Box<Order>) -> Result<(), LeaderEvent> {
        let Some(lane) = self.lanes.get(&order.to) else {
            let why = "its address is not known: it has not reported to this leader".to_owned();
            return Err(undelivered(order, why));
        };
        lane.orders.try_send(order).map_err(|error| {
            let why = format!("{MOST_QUEUED} orders wait for this TaskManager already");
            undelivered(error.into_inner(), why)
        })
    }

    /// Forgets a TaskManager that is gone: what is queued for it is dropped, and what is on its way
    /// given up, so that nothing comes beside the queue that it gets if it comes back.
    pub(super) fn drop_lane(&mut self, to: NodeNonce) {
        if let Some(lane) = self.lanes.remove(&to) {
            lane.task.abort();
        }
    }

    /// Drops all queues, and waits until the requests under way are gone.
    pub(super) async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

impl Sender {
    async fn run(mut self) {
        let mut queued = Vec::with_capacity(MOST_TOGETHER);
        loop {
            if self.orders.recv_many(&mut queued, MOST_TOGETHER).await == 0 {
                return;
            }
            // A deposed leader sends nothing. If it did, its seal would be refused (R7).
            if !self.guard.is_valid() {
                return;
            }
            let orders = queued.drain(..).map(|order| *order).collect();
            if self.deliver(Orders { orders }).await.is_err() {
                return;
            }
        }
    }

    /// Sends orders, and tells what became of them. Fails if nobody listens any more.
    async fn deliver(&self, orders: Orders) -> Result<(), mpsc::error::SendError<LeaderEvent>> {
        let address = self.address.borrow().clone();
        let posted = self
            .client
            .post::<Outcomes>(&address, ORDERS, &orders, PATIENCE);
        let count = orders.orders.len();
        let outcomes = match posted.await {
            Ok(outcomes) if outcomes.refused.len() == count => Ok(outcomes.refused),
            Ok(_) => Err(format!("{address} answered to another number of orders")),
            Err(error) => Err(error.to_string()),
        };
        let last = orders.orders.last().map_or(0, |order| order.seq);
        match outcomes {
            Ok(refused) => {
                tally("delivered", count);
                for (order, refused) in orders.orders.into_iter().zip(refused) {
                    let Some(why) = refused else { continue };
                    tally("refused", 1);
                    let (by, order) = (self.to, Box::new(order));
                    self.events
                        .send(LeaderEvent::OrderRefused { by, order, why })
                        .await?;
                }
                let (to, seq) = (self.to, last);
                self.events.send(LeaderEvent::Delivered { to, seq }).await?;
            }
            Err(why) => {
                tally("undelivered", count);
                tracing::debug!(node = %self.to, orders = count, why, "orders were not delivered");
                for order in orders.orders {
                    let event = undelivered(Box::new(order), why.clone());
                    self.events.send(event).await?;
                }
            }
        }
        Ok(())
    }
}

fn undelivered(order: Box<Order>, why: String) -> LeaderEvent {
    let to = order.to;
    LeaderEvent::Undelivered { to, order, why }
}

fn tally(outcome: &'static str, orders: usize) {
    counter!("incumbent_cluster_orders_total", "outcome" => outcome).increment(orders as u64);
}
