//! What happened. The promises see nothing else.

use std::sync::Arc;

use incumbent_cluster_core::message::Order;
use incumbent_cluster_core::{JobId, JobRecord, NodeNonce, TaskId};
use incumbent_core::Seal;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    /// A submission was acknowledged.
    Submitted { job: JobId },
    /// The record of a job says this now.
    Stored { record: Arc<JobRecord> },
    /// A leader sends an order.
    Sent { seal: Seal, order: Order },
    /// The process of a task begins.
    Began {
        node: NodeNonce,
        slot: u32,
        task: TaskId,
        is_exclusive: bool,
    },
    /// The process of a task has ended.
    Gone { node: NodeNonce, task: TaskId },
    /// The owner wants it canceled, and was told so.
    CancelAcknowledged { job: JobId },
    /// No fault happens any more.
    Healed,
    /// By now all must be well. What runs is known from [`Fact::Began`] and [`Fact::Gone`].
    Settled,
}
