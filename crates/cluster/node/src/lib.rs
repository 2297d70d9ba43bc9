//! JobManager and TaskManager: jobs that outlive their JobManager.
//!
//! ```text
//!   any node ── api/ ──┬── itself: submit, artifacts, logs, a task's own HTTP
//!                      └── NodeLayer ──► the leading JobManager ── job_manager/ ──► Leader (pure)
//!                                                  │ wire/: orders, reports
//!                                                  ▼
//!                                        a TaskManager ── task_manager/ ──► TaskManager (pure)
//!                                                  └── guard ──► task
//! ```
//!
//! Start reading in `node.rs` (what every node has), then `job_manager/` and `task_manager/`.

pub mod api;
mod error;
mod front;
mod group_pages;
mod identity;
pub mod job_manager;
mod node;
mod query;
pub mod security;
pub mod server;
pub mod task_manager;
pub mod wire;

pub use error::NodeError;
pub use front::run_front;
pub use group_pages::run_group_pages;
pub use identity::{ClusterIdentity, NodeSecret};
pub use job_manager::{
    JobManager, JobManagerHandle, MakeTaskManagers, NotLeading, SupplyTerm, run_job_manager,
    run_job_manager_with,
};
pub use node::{DEFAULT_GROUP, ENDPOINT, Node, NodeOptions};
pub use task_manager::{TaskManagerHandle, TaskManagerOptions, run_task_manager};
