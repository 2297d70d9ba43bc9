//! Streams: jobs in Rust with exactly-once state.
//!
//! You describe *what* to compute; the library keeps state and output exactly once through every
//! kill, as a job of the cluster, and runs the same job alone or in a test. docs/guide/streams.md
//! begins with thirty lines that work.
//!
//! ```text
//!  source ──► map, filter, flat_map ──► key_by ──► state / window / join ──► sink
//!  positions                            ranks own  snapshots, queries        staged, then
//!  in checkpoints                       key groups                           published
//! ```
//!
//! - [`run`] is what `main` calls, with a function that describes a [`Job`].
//! - [`Source`] and [`Sink`] are traits: implement them for what this crate does not know.
//!   [`outbox`] is for sinks of systems that cannot hide output.
//! - [`kit`] runs a job in a test.
//!
//! To change it: `rounds/` decides when a record is applied and when a state is a snapshot;
//! `engine/` carries that out on Timely Dataflow; `runtime/` speaks the task contract. The reasons
//! are in docs/design/0014-streams.md.

mod api;
mod at;
mod engine;
mod error;
mod generator;
mod join;
pub mod kit;
mod logic;
mod mesh;
mod meta;
mod orders;
pub mod outbox;
mod room;
mod rounds;
mod runtime;
mod sink;
mod source;
mod state;
#[cfg(test)]
mod testing;
mod time;
mod windows;

pub use api::{Job, KeyedStream, Out, SourceStream, Stream};
pub use at::{At, Waker};
pub use error::{BoxError, Error, Result};
pub use generator::{Generator, GeneratorReader};
pub use join::{Either, Join, PairJoin, WindowJoin};
pub use logic::{Data, Key};
pub use runtime::run;
pub use sink::{Sink, Staged, Writer};
pub use source::{Batch, Found, Read, Reader, Source};
pub use time::Timestamp;
pub use windows::{
    Aggregate, FixedWindows, Session, Sliding, Tumbling, Window, Windowed, WindowedStream, Windows,
};
