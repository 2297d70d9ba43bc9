//! [`TaskManagerHandle`]: what requests can ask of the TaskManager of this process.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use futures::Stream;
use http::{Request, Response};
use incumbent_cluster_core::TaskId;
use incumbent_cluster_core::message::{Order, Refused};
use tokio::sync::{mpsc, oneshot};

use super::contract::{Exposed, Unanswered};
use super::log::{LogPiece, LogRead};
use super::task_http::{NoAnswer, TaskHttp};
use super::tasks::Tasks;
use super::usage::Usages;
use crate::query::{Question, RankAnswer};

/// How many orders wait for the loop, which takes each in microseconds. More wait to be taken.
const MOST_ORDERS: usize = 1024;

/// The TaskManager of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TaskManagerHandle {
    orders: mpsc::Sender<Ordered>,
    tasks: Arc<Tasks>,
    http: TaskHttp,
    exposed: Exposed,
    usages: Usages,
}

/// An order on its way to the loop.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) order: Box<Order>,
    pub(super) answer: oneshot::Sender<Result<(), Refused>>,
}

/// The TaskManager of this process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the TaskManager of this process has ended")]
pub struct Gone;

impl TaskManagerHandle {
    pub(super) fn new(tasks: Arc<Tasks>, exposed: Exposed) -> (Self, mpsc::Receiver<Ordered>) {
        let (orders, receiver) = mpsc::channel(MOST_ORDERS);
        let handle = Self {
            orders,
            tasks,
            http: TaskHttp::new(),
            exposed,
            usages: Usages::default(),
        };
        (handle, receiver)
    }

    /// Gives an order, and returns whether it is accepted.
    ///
    /// # Errors
    ///
    /// [`Gone`]: nothing was done, and nothing will be.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is an unknown outcome.
    pub async fn order(&self, order: Box<Order>) -> Result<Result<(), Refused>, Gone> {
        let (answer, answered) = oneshot::channel();
        let sent = self.orders.send(Ordered { order, answer }).await;
        sent.map_err(|_| Gone)?;
        answered.await.map_err(|_| Gone)
    }

    /// Why the leader does not know of this TaskManager's tasks at present, in words; `None` if its
    /// last report was acknowledged.
    pub fn unreported(&self) -> Option<String> {
        self.tasks.unreported()
    }

    /// The metrics that its tasks show, and what they take of the machine, as text for Prometheus.
    pub fn task_metrics(&self) -> String {
        self.exposed.to_text() + &self.usages.to_text(&self.tasks)
    }

    /// Whether this TaskManager has the task, or its log.
    pub fn has(&self, task: TaskId) -> bool {
        self.tasks.get(task).is_some()
    }

    /// The log of a task that runs here, or has ended here and whose log is kept; see
    /// [`TaskLog::read`](super::TaskLog::read). `None`: look in the blobs, where the tails of logs
    /// are.
    pub fn log(
        &self,
        task: TaskId,
        read: LogRead,
    ) -> Option<impl Stream<Item = io::Result<LogPiece>> + Send + use<>> {
        Some(self.tasks.get(task)?.log.read(read))
    }

    /// Asks a task about its state.
    ///
    /// # Errors
    ///
    /// [`Unanswered`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the question.
    pub(crate) async fn query(
        &self,
        task: TaskId,
        question: &Question,
    ) -> Result<RankAnswer, Unanswered> {
        let entry = self.tasks.get(task).ok_or(Unanswered::NoSuchTask)?;
        let contract = entry.contract().ok_or(Unanswered::NoSuchTask)?;
        contract.query(question).await
    }

    /// Passes a request on to the HTTP of a task, at the port that it was granted and at no other
    /// place. `path` is what follows the name of the endpoint, with its query.
    ///
    /// Fields that are ours, or about the connection, are taken from both the request and the
    /// answer, and the answer is put into a sandbox.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is an unknown outcome.
    pub async fn http(
        &self,
        task: TaskId,
        path: &str,
        request: Request<Body>,
    ) -> Result<Response<Body>, NoAnswer> {
        let entry = self.tasks.get(task).ok_or(NoAnswer::NoSuchTask)?;
        let port = entry.port().ok_or(NoAnswer::NotRunning)?;
        self.http.pass_on(port, path, request).await
    }
}
