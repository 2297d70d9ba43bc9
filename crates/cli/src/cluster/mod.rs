//! The cluster: its processes (`up`, `job-manager`, `task-manager`), and what people do with jobs,
//! savepoints and nodes (`job`, `savepoint`, `node`; `top` for all of them on a screen).
//!
//! ```text
//!   up ──starts, again and again──► parts (job-manager, task-manager): incumbent-cluster-node
//!    └── answers /v1 itself, by passing on                     ▲
//!   job, savepoint, node, top ── client: /v1 of any node ──────┘
//! ```
//!
//! `job`, `savepoint` and `node` speak `/v1` and nothing else: what they can do, any program can.

mod client;
mod job;
mod node;
mod parts;
mod places;
mod savepoint;
mod top;
mod up;

/// What a process of a cluster logs if nobody says: not each step of the election, which every one
/// of them sees, but what becomes of jobs and nodes.
pub(crate) const USUAL_LOG: &str = "info,incumbent::node::story=warn";

pub(crate) use job::{JobArgs, job};
pub(crate) use node::{NodeArgs, node};
pub(crate) use parts::{JobManagerArgs, TaskManagerArgs, job_manager, task_manager};
pub(crate) use savepoint::{SavepointArgs, savepoint};
pub(crate) use top::{TopArgs, top};
pub(crate) use up::{UpArgs, up};
