//! What an Apache Flink keeps for its high availability, read and never written.
//!
//! ```text
//! address.rs ──► kubernetes/  ConfigMaps ─┐                          ┌─► inspect: FlinkCluster, what all of it says
//!            └─► zookeeper/   znodes ─────┴─► layout.rs ─► decode/ ──┴─► follow: one leader, as it changes
//! ```
//!
//! Flink keeps three things there: who leads each component of its JobManager, pointers to the
//! graphs of its jobs and to their checkpoints, and the number of the next checkpoint.
//! [`inspect()`] reads them once, and tells what is stale or unreadable among them. [`follow()`]
//! tells who leads now and from then on: what a gateway in front of a Flink needs.
//!
//! # What holds, and what does not
//!
//! - **Versions**: Flink 1.15 to 2.x, and the ConfigMaps of 1.12 to 1.14, one for each component.
//!   What Flink 1.14.6, 1.20.3 and 2.2.1 have written is among the tests. What Flink 2.3 adds about
//!   applications is told as unknown.
//! - **Read-only**: no request of this crate can change anything. On Kubernetes it needs the rights
//!   `list` and `watch` on ConfigMaps; in ZooKeeper, `read`.
//! - **One moment**: it is read piece by piece while Flink writes, and once more if something looks
//!   wrong. What is told may still be of several moments.
//! - **Files** that handles point to are not looked at, nor are job results, which Flink keeps in
//!   files only.
//!
//! ```no_run
//! use futures::StreamExt;
//! use incumbent_flink_ha::{Component, FlinkAddress, follow, inspect};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let address: FlinkAddress = "zookeeper://zk1:2181,zk2:2181/flink/my-cluster".parse()?;
//! for (id, job) in inspect(&address).await?.jobs {
//!     println!("{id}: {} checkpoints", job.checkpoints.len());
//! }
//! let mut leaders = follow(&address, &Component::RestServer)?;
//! while let Some(leader) = leaders.next().await {
//!     println!("{leader:?}");
//! }
//! # Ok(()) }
//! ```
//!
//! Start reading in `model.rs`, then `kubernetes/layout.rs` and `zookeeper/layout.rs`.

mod address;
mod component;
pub mod decode;
mod error;
#[cfg(test)]
mod fixtures;
mod follow;
mod inspect;
mod java;
mod judge;
mod kubernetes;
mod model;
mod room;
mod session_id;
mod zookeeper;

pub use address::FlinkAddress;
pub use component::Component;
pub use decode::{Lock, StateHandle};
pub use error::FlinkError;
pub use follow::follow;
pub use inspect::inspect;
pub use java::{JavaError, JavaErrorKind};
pub use model::{
    Checkpoint, Election, Entry, FlinkCluster, FlinkJob, Leader, LeaderEntry, Problem, ProblemKind,
};
pub use session_id::{NoSessionId, SessionId};
