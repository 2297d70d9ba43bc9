//! What a task says, on its way to the loop, which answers whether it counts.

use incumbent_cluster_core::TaskId;
use incumbent_cluster_core::task_manager::{NotHeard, Said};
use tokio::sync::oneshot;

use super::TaskContract;
use super::problems;
use crate::api::Problem;

/// Something that a task has said.
#[derive(Debug)]
pub(in super::super) struct TaskSaid {
    pub(in super::super) task: TaskId,
    pub(in super::super) said: Said,
    pub(in super::super) answer: oneshot::Sender<Result<(), NotHeard>>,
}

impl TaskContract {
    /// Says it, and returns whether it counts.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is an unknown outcome; everything may be said again.
    pub(super) async fn say(&self, said: Said) -> Result<(), Problem> {
        let (answer, answered) = oneshot::channel();
        let task = self.task;
        let sent = self.contracts.said.send(TaskSaid { task, said, answer });
        sent.await.map_err(|_| problems::ending())?;
        let heard = answered.await.map_err(|_| problems::ending())?;
        heard.map_err(|why| problems::not_heard(&why))
    }
}
