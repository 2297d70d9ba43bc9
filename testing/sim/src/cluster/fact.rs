//! What happened. The promises see nothing else.

use std::sync::Arc;

use incumbent_cluster_core::message::Order;
use incumbent_cluster_core::{JobId, JobRecord, NodeNonce, SavepointId, TaskId};
use incumbent_core::Seal;

use super::blobs::{Content, Key, Piece};
use super::jobs::Wish;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    /// A submission was acknowledged.
    Submitted { job: JobId },
    /// The record of a job says this now; the term that wrote it.
    Stored { record: Arc<JobRecord>, seal: Seal },
    /// The record of a job is gone.
    Erased { job: JobId },
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
    /// The owner of a job asks for something.
    Wished { job: JobId, wish: Wish },
    /// It was told that this is written down.
    Acknowledged { job: JobId, wish: Wish },
    /// It was told that these savepoints of the job are there.
    Shown {
        job: JobId,
        savepoints: Vec<SavepointId>,
    },
    /// A task hears of a checkpoint, which this term wants.
    Asked {
        task: TaskId,
        number: u64,
        seal: Seal,
    },
    /// A task makes a part of the output visible. Doing so again changes nothing.
    Published { task: TaskId, piece: Piece },
    /// What a task was to start from is not there.
    NotRestored { task: TaskId },
    /// A file is written.
    Wrote { key: Key, content: Arc<Content> },
    /// A file is gone.
    Deleted { key: Key },
    /// No fault happens any more.
    Healed,
    /// By now all must be well. What runs is known from [`Fact::Began`] and [`Fact::Gone`].
    Settled,
}
