#![expect(dead_code, reason = "the engine is on its way")]
//! Streams: jobs in Rust with exactly-once state.

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
