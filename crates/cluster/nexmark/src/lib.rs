//! Nexmark: a generator of persons, auctions and bids, and its queries as jobs.
//!
//! An online auction house: persons register, open auctions and bid on them. The queries are those
//! that benchmarks of stream processors share, so their figures can be set beside others'.
//!
//! ```text
//!   model.rs      what happens: Person, Auction, Bid
//!   sequence.rs   event number n, for any n: random.rs draws what is in it
//!   source.rs     the sequence as a source of a job
//!   sinks.rs      sinks for measurements
//!   queries/      the queries, each a job; sql/ has the same for a database, to compare with
//! ```
//!
//! `nexmark q5 --input DIR --output DIR` runs a query, alone or as a task of a cluster;
//! `cargo run -p incumbent-nexmark --example generate -- --events 1000000 DIR` writes events as
//! files.

mod model;
pub mod queries;
mod random;
mod sequence;
mod sinks;
mod source;

pub use model::{Auction, Bid, Event, Happened, Other, Person};
pub use sequence::Sequence;
pub use sinks::{Nowhere, Shown, ShownWriter};
pub use source::Nexmark;
