//! Reads what an Apache Flink stores for its high availability, and moves and cleans it on request.
//!
//! ```text
//! address ─► kubernetes/  ConfigMaps ─┐                        ┌─► inspect: a cluster, its problems
//!        └─► zookeeper/   znodes ─────┴─► layout.rs ─► decode/ ┴─► follow: one leader, as it changes
//!                                     └─► contents.rs ─► data/ ─► plan/, clean/: what to write, and why
//! ```
//!
//! Flink stores three things there: who leads each component of its JobManager, pointers to its
//! jobs, applications and checkpoints, and the number of the next checkpoint. [`inspect()`] reads
//! all of them once, and says what is damaged and what follows from the damage. [`clusters()`]
//! lists the clusters of a namespace or a path. [`follow()`] says who leads now and from then on:
//! what a gateway in front of a Flink needs.
//!
//! [`migrate()`] copies the data of a stopped cluster to another store, so that Flink's next start
//! there recovers its jobs. A [`Cleaner`] removes what no job needs. Both decide in pure code, in
//! `plan/` and `clean/`, and say what they would do before they do it.
//!
//! # Guarantees and limits
//!
//! - **Versions**: Flink 1.15 to 2.3, and the ConfigMaps of 1.12 to 1.14, one for each component.
//!   The tests hold data that Flink 1.14.6, 1.20.3, 2.2.1 and 2.3.0 have written.
//! - **Read-only**, but for [`migrate()`], [`reopen()`] and [`Cleaner::apply()`]. On Kubernetes
//!   reading takes the rights `list` and `watch` on ConfigMaps; in ZooKeeper, `read`. Every write
//!   is a compare-and-swap.
//! - **Several moments**: the store is read piece by piece while Flink writes, and a second time if
//!   something looks wrong. The result may still be of several moments.
//! - **Files**: [`InspectOptions::files`] looks whether the files of handles are there. Their
//!   contents, the state files of checkpoints (`chk-N`) and job results are never looked at.
//!
//! ```no_run
//! use futures::StreamExt;
//! use incumbent_flink_ha::{Component, FlinkAddress, InspectOptions, follow, inspect};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let address: FlinkAddress = "zookeeper://zk1:2181,zk2:2181/flink/my-cluster".parse()?;
//! for problem in inspect(&address, InspectOptions::default()).await?.problems {
//!     println!("{}: {}. {}", problem.key, problem.reason, problem.follows);
//! }
//! let mut leaders = follow(&address, &Component::RestServer)?;
//! while let Some(leader) = leaders.next().await {
//!     println!("{leader:?}");
//! }
//! # Ok(()) }
//! ```
//!
//! Start reading in `model.rs`, then `damage.rs`, `kubernetes/layout.rs` and `zookeeper/layout.rs`;
//! for what is written, in `data/mod.rs`, `plan/mod.rs` and `migrate/mod.rs`.

mod address;
mod budget;
mod channel;
mod clean;
mod component;
mod damage;
mod data;
pub mod decode;
mod error;
mod files;
#[cfg(test)]
mod fixtures;
mod follow;
mod inspect;
mod java;
mod judge;
mod kubernetes;
mod migrate;
mod model;
mod plan;
mod session_id;
mod sweep;
mod zookeeper;

pub use address::FlinkAddress;
pub use clean::{CleanRequest, Cleaning, Finding, FindingKind};
pub use component::Component;
pub use data::{DeleteMarker, NoFlinkVersion};
pub use decode::{Leader, Lock, StateHandle};
pub use error::FlinkError;
pub use follow::follow;
pub use inspect::{InspectOptions, clusters, inspect};
pub use java::{JavaError, JavaErrorKind};
pub use migrate::{MigrationOptions, MigrationStep, migrate, plan_migration, reopen};
pub use model::{
    Checkpoint, ClusterSummary, Clusters, Election, FileCheck, FileState, FlinkCluster, FlinkJob,
    LeaderEntry, Pointer, Problem, ProblemKind, Renewal, Severity,
};
pub use plan::{Left, Migration, MigrationState, Move, Refusal, RefusalKind};
pub use session_id::{NoSessionId, SessionId};
pub use sweep::Cleaner;
