//! Leader election, leader discovery, and records that only the present leader can change.
//!
//! ```text
//!   open(address) ─► Store ─► Group ─┬─► Observer      who leads, as it changes
//!                                    ├─► Changes       which records change, as they do
//!                                    ├─► create(name)  a record, without leading
//!                                    └─► Candidate ─► campaign() ─► Leadership ─► open(name) ─► Record<T>
//!                                                                        │                        commit, delete
//!                                                                        └─► publish, activate, guard, lost, resign
//! ```
//!
//! # What it guarantees
//!
//! **A write of an old leader never lands after a new leader has read.** A new leader *seals* a
//! record before it reads it: it swaps the same body back under its own epoch. From then on an old
//! leader's write names a version that is gone, and the answer is [`Error::Fenced`]. It follows
//! from compare-and-swap alone. No clock, lease, watch or network verdict can break it, however
//! wrong; these only decide *when* somebody tries to take over.
//!
//! # What it does not
//!
//! - Until a new leader opens a record, an old one may still commit there. What must change
//!   together belongs in one record.
//! - What a leader does elsewhere is not fenced: send the [`Epoch`] along, and let the other side
//!   refuse lower ones.
//! - [`Guard::is_valid`] is about clocks, and about the past by the time you act on it.
//!
//! # What everybody may do
//!
//! Every process of a group may read records, follow their [`Changes`], and [create](Group::create)
//! one where none is. Only a leader changes or deletes one. And any process may offer a proof of
//! its death to others: [`LivenessServer`], [`LivenessProbe`].
//!
//! # A leader in twenty lines
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = incumbent::open("memory:").await?;
//! let group = store.group("demo")?;
//! let leadership = group.candidate()?.campaign().await;
//!
//! let mut count = leadership.open::<u64>(&"count".parse()?).await?;
//! leadership.publish(&"web".parse()?, "http://127.0.0.1:8000").await?;
//! leadership.activate().await?;
//!
//! let next = count.data().copied().unwrap_or(0) + 1;
//! count.commit(next).await?; // Err(Fenced) if somebody else leads by now
//!
//! let leader = group.observe().wait_for(|view| view.active().is_some()).await;
//! println!("{leader:?}");
//! leadership.resign(None).await;
//! # Ok(()) }
//! ```
//!
//! Start reading in `group.rs`, then `leadership.rs` and `record.rs`. The decisions are in the
//! crate `incumbent-core`; `node/` performs them.

mod by_hand;
mod candidate;
mod changes;
mod clock;
mod create;
mod deadline;
mod error;
mod group;
mod leadership;
mod liveness;
mod node;
mod observer;
mod open;
mod read;
mod record;
mod settle;
mod term;

pub use candidate::Candidate;
pub use changes::Changes;
pub use clock::Clock;
pub use create::Creation;
pub use error::{Error, OpenError};
pub use group::{Group, Options, Store};
pub use incumbent_backend as backend;
pub use incumbent_backend::{BadAddress, BadName, Limits, Reach, RecordName};
pub use incumbent_core::changes::Change;
pub use incumbent_core::election::LostBecause;
pub use incumbent_core::root::{
    LONGEST_ENDPOINT, LivenessAddress, MOST_ENDPOINTS, Root, TermState, check_endpoint,
};
pub use incumbent_core::{
    BadTiming, EndpointName, Epoch, GroupName, HolderName, Leader, Nonce, Seal, Time, Timing,
    TimingOptions, View,
};
pub use leadership::Leadership;
pub use liveness::{
    Liveness, LivenessProbe, LivenessServer, LivenessState, ProbeOptions, SignOfDeath, SignOfLife,
    Stakes, sign_of_life,
};
pub use node::describe;
pub use observer::Observer;
pub use open::{is_there, open};
pub use read::{Snapshot, Stamp};
pub use record::{Found, Record};
pub use term::{Guard, Taken};
