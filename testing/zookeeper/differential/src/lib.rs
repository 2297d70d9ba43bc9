//! Runs random scripts on two servers of the ZooKeeper protocol. Every answer must be the same.
//!
//! A seed makes a script: a few sessions, a hundred steps, and few paths, so that sessions meet.
//! Each step runs on both servers. Then a barrier, a ping on every connection, makes sure that all
//! its events have come. Then everything that came is compared, frame by frame in the order of each
//! connection: answers, errors, stats, events, and where events stand between answers. A difference
//! is minimised and printed with its seed.
//!
//! ```text
//!   seed ──generate──► Script ──ask──► requests ──side──► reference ──┐
//!                                          └─────side──► ours ────────┤
//!                                                                     ▼
//!                              Difference ◄──compare── tokens ◄──normal── frames
//! ```
//!
//! [`known`] lists all differences that are allowed. Zxids correspond by order, times by rules on
//! each side, sessions by number. Thousands of scripts on two real ZooKeepers show no difference:
//! that tests the rules.
//!
//! The reference is Debian's ZooKeeper 3.8.0. Where 3.9 differs from it, this server does what
//! 3.9.4 does, and tests in `crates/zookeeper/server/src/machine/tests/zookeeper_39.rs` hold it to
//! that.
//!
//! ```text
//! cargo run --release -p incumbent-differential -- --seeds 0..5000
//! cargo run --release -p incumbent-differential -- --seeds 17 --ours 127.0.0.1:2181
//! cargo run --release -p incumbent-differential -- --against zookeeper
//! ```

mod ask;
mod campaign;
mod compare;
mod dice;
mod generate;
pub mod known;
mod memory;
mod minimise;
mod normal;
mod reference;
mod relation;
mod run;
mod script;
mod side;

pub use campaign::{Campaign, Report};
pub use compare::Difference;
pub use generate::script;
pub use minimise::minimise;
pub use reference::{OURS, Ours, ours, reference};
pub use run::{Mismatch, Servers, Unusable, run};
pub use script::{Act, Ask, Attach, Expect, NodePath, Payload, Script, Since, Step, Stop};
