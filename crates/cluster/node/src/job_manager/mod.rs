//! The JobManager: a candidate of the cluster's group, which performs what the machine
//! [`Leader`](incumbent_cluster_core::leader::Leader) decides while it leads.
//!
//! ```text
//!   campaign.rs ── a term begins ──► term.rs ── events + time ──► Leader ── actions ──┐
//!                                      ▲                                              ▼
//!   routes.rs, JobManagerHandle ─door.rs┘   records.rs  lanes.rs  watches.rs  questions.rs  told.rs
//!   reports, hints, questions               open,       orders    proof of    answers       the log
//!                                           commit                death
//!                                        checkpoints/                        supply.rs
//!                                        manifests, savepoints, the janitor  more TaskManagers
//! ```
//!
//! # What holds
//!
//! - **Nothing is performed outside a term.** Whatever a term has begun is dropped when the term
//!   is over: at the renew deadline, before anybody else may lead. What was on its way then is
//!   harmless: a commit is fenced, and an order carries the seal of the term.
//! - **A process that was stopped past its deadlines does nothing when it goes on**: the guard is
//!   asked before each request and each action. What was handed to the network before is refused by
//!   its seal. There is nothing to end at the hard deadline: tasks are not the children of a
//!   JobManager, and go on.
//! - **A report is acknowledged only under a valid guard** (R8): it is asked at the last moment,
//!   when the answer is handed to the connection.
//! - **The janitor deletes only under a valid guard**, and only what no committed record can name
//!   any more (R15).
//! - **Blobs that are slow or gone delay no order, no acknowledgement and no commit.** Only a job
//!   with savepoints, or one that is archived, waits for them before its record goes.
//! - **A TaskManager that is slow or gone delays nobody else**: each has its own queue.
//!
//! # Limits
//!
//! | what | limit | when it is reached |
//! |---|---|---|
//! | reports, hints and questions that wait for the loop | 1024 | more wait |
//! | questions that wait for their answers | 4096 | more wait |
//! | acknowledging a report | 5 s | 503: report again |
//! | verifying a TaskManager by connecting back | 4 s, 64 at a time | 422, and it tries again |
//! | orders that wait for one TaskManager | 2048 | undelivered, and given again |
//! | orders in one request, and its time | 128, 10 s | more requests; undelivered |
//! | TaskManagers that are watched | 1000 | the death of others is noticed by their silence |
//! | records that are opened at a time | 64 | more wait |
//! | manifests that are written at a time | 16, 30 s each | more wait; the checkpoint is aborted |
//! | savepoints that are looked for, marked or removed at a time | 8 | more wait |
//! | jobs that the janitor tidies at a time | 2, each after 5 s of rest or more | more wait |
//! | JobManagers shown that stand by | 64 | others are not shown |
//! | a body between nodes | 16 MiB | 413 |

mod archive;
mod body;
mod campaign;
mod checkpoints;
mod cluster_view;
mod door;
mod gauges;
mod lanes;
mod ledger;
mod questions;
mod records;
mod registry;
mod remains;
mod routes;
mod run;
mod standby;
mod supply;
mod term;
mod told;
mod watches;

use std::sync::Arc;

use axum::Router;
use incumbent_cluster_core::leader::{Answer, Question};
use tokio::sync::{oneshot, watch};

use crate::node::Node;
pub use campaign::JobManager;
use door::{Door, Input};
pub use gauges::describe_metrics;
pub use ledger::LeaderChange;
pub(crate) use ledger::{Ledger, MOST_CHANGES, ledger_record};
pub(crate) use registry::worker;
pub use run::{run_job_manager, run_job_manager_with};
pub use supply::{MakeTaskManagers, SupplyTerm};

/// Asks the JobManager of this process. Cheap to clone.
#[derive(Clone)]
pub struct JobManagerHandle {
    shared: Arc<Shared>,
}

/// This process does not lead, or its term ended before it answered. What was wanted may have been
/// done: the next leader knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node does not lead, or its term ended before it answered")]
pub struct NotLeading;

/// What the campaign, the terms and the handles share.
struct Shared {
    node: Node,
    /// Makes TaskManagers, if somebody does.
    maker: Option<Arc<dyn MakeTaskManagers>>,
    /// The present term, if this process leads.
    door: watch::Sender<Option<Arc<Door>>>,
}

impl Shared {
    fn new(node: Node, maker: Option<Arc<dyn MakeTaskManagers>>) -> Self {
        let door = watch::Sender::new(None);
        Self { node, maker, door }
    }
}

impl JobManagerHandle {
    /// Asks the leader that this process is.
    ///
    /// Questions about a record that is not open yet are held until it is. So they wait for as long
    /// as the caller does. To be used behind a [`NodeLayer`](incumbent_gateway::NodeLayer), which
    /// passes on what this process cannot answer.
    ///
    /// # Errors
    ///
    /// [`NotLeading`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the answer. A wish may be fulfilled all the same.
    pub async fn ask(&self, question: Question) -> Result<Answer, NotLeading> {
        let door = self.door().ok_or(NotLeading)?;
        let _place = door.place().await.ok_or(NotLeading)?;
        let (answer, answered) = oneshot::channel();
        door.send(Input::Asked { question, answer }).await?;
        answered.await.map_err(|_| NotLeading)
    }

    /// What a JobManager serves under `/node/v1`, for nodes only. The server must put the
    /// [`Peer`](incumbent_gateway::Peer) into the extensions of each request.
    pub fn router(&self) -> Router {
        routes::router(self.clone())
    }

    /// The term that lasts at this moment.
    fn door(&self) -> Option<Arc<Door>> {
        let door = self.shared.door.borrow().clone();
        door.filter(|door| door.guard.is_valid())
    }
}
