//! Random scripts on two servers of the ZooKeeper protocol, whose every answer must be the same.
//!
//! A seed gives a script: a few sessions, a hundred steps, few paths, so that they meet. Each step
//! is done on both servers; then a barrier (a ping on every connection) makes sure that all its
//! events have come; then everything that came is compared, frame by frame in the order of each
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
//! What may differ is in [`known`], and nothing else: zxids correspond by order, times by rules on
//! each side, sessions by number. Thousands of scripts on two real ZooKeepers show no difference;
//! that is what the rules are tested by.
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
pub use script::{Act, Ask, Attach, Expect, Payload, Place, Script, Since, Step, Stop};
