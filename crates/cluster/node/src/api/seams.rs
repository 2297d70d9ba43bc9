//! What the API needs of the JobManager of its process: [`AskLeader`].

use futures::future::BoxFuture;
use incumbent_cluster_core::leader::{Answer, Question};

use crate::JobManagerHandle;

/// The JobManager of this process.
pub trait AskLeader: Send + Sync + 'static {
    /// Asks the leader, if that is this process; `None` if its term is over before it answered.
    ///
    /// What is wanted is written down when the answer comes. There is no time-out here: the caller
    /// sets one.
    fn ask(&self, question: Question) -> BoxFuture<'_, Option<Answer>>;
}

impl AskLeader for JobManagerHandle {
    fn ask(&self, question: Question) -> BoxFuture<'_, Option<Answer>> {
        Box::pin(async move { JobManagerHandle::ask(self, question).await.ok() })
    }
}
