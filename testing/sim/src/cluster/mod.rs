//! Jobs under simulated faults: many [`Leader`](incumbent_cluster_core::leader::Leader)s and
//! [`TaskManager`](incumbent_cluster_core::task_manager::TaskManager)s, above the very election
//! that the rest of this crate simulates.
//!
//! ```text
//!   simulation ─► plan (from the seed) ─► world ─┬─► job_manager: Election, Write, Leader
//!                                                ├─► task_manager: TaskManager
//!                                                ├─► tasks: processes whose life is known, and their guards
//!                                                ├─► contract: what tasks read, stage and publish
//!                                                ├─► blobs, janitor: files that lose answers
//!                                                └─► fact ─► promises
//! ```
//!
//! While faults rage, each promise is checked at each step. Then all faults are lifted, and every
//! job that can run must run. `README.md` beside this file has the promises, and the rules that
//! were left out to see them break.

mod blobs;
mod contract;
mod fact;
mod faults;
mod janitor;
mod job_manager;
mod jobs;
mod looks;
mod mode;
mod mutate;
mod network;
mod outbox;
mod owners;
mod plan;
mod promises;
mod simulation;
mod task_manager;
mod tasks;
mod upsets;
mod world;
mod writes;

pub use mode::{ClusterMode, ClusterMutation};
pub use simulation::{ClusterFailure, ClusterReport, ClusterSimulation};
