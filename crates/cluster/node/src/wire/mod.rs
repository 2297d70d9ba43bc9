//! What nodes say to each other, over HTTP under `/node/v1`.
//!
//! ```text
//!   Client ── request, proof of this node ──► prove() ──► handler
//!          ◄── answer, proof of that node ──           ◄──
//! ```
//!
//! Both sides prove that they are nodes of one cluster, and the secret itself is never sent:
//! `proof.rs`. A request that is not proven does not reach its handler, and an answer that is not
//! proven is not used.
//!
//! **Replays are harmless, and so not refused.** Anyone who can record what nodes say and send it
//! again repeats an order, which says its term, its process, its incarnation and its attempt, and
//! may come twice; or a report, which says the number that its acknowledgement answers. Use TLS to
//! keep others from reading what nodes say.

mod body;
mod client;
mod connect;
mod error;
mod problem;
mod proof;
mod verify;

pub use body::{Announcement, Orders, Outcomes};
pub use client::{Client, LARGEST_ANSWER};
pub use error::WireError;
pub(crate) use problem::OTHER_TOKEN;
pub use problem::Problem;
pub use proof::PROOF;
pub(crate) use proof::token_mark;
pub use verify::{Form, LARGEST_BODY, Proven, prove};

/// What all paths between nodes begin with.
pub const NODE: &str = "/node/v1";

/// `POST`: a [`Report`](incumbent_cluster_core::message::Report) to the leader. The answer is an
/// [`Ack`](incumbent_cluster_core::message::Ack).
pub const REPORTS: &str = "/node/v1/reports";

/// `POST`: [`Orders`] to a TaskManager. The answer is [`Outcomes`].
pub const ORDERS: &str = "/node/v1/orders";

/// `POST`: an [`Announcement`] of a JobManager that stands by, to the leader.
pub const ANNOUNCEMENTS: &str = "/node/v1/job-managers";

/// `GET`: metrics of a node.
pub const METRICS: &str = "/node/v1/metrics";

/// What the paths of tasks begin with: `/node/v1/tasks/{job}/{incarnation}/{attempt}/{rank}/…`.
pub const TASKS: &str = "/node/v1/tasks";

/// `POST`, without a body: the record of this job was created or changed without leading.
pub fn hint(job: incumbent_cluster_core::JobId) -> String {
    format!("{NODE}/hints/{job}")
}

/// The path of a task, without what follows.
pub fn task(task: &incumbent_cluster_core::TaskId) -> String {
    format!(
        "{TASKS}/{}/{}/{}/{}",
        task.job, task.incarnation, task.attempt, task.rank
    )
}
