//! Streams: jobs in Rust with exactly-once state.

mod at;
mod error;
mod sink;
mod source;
mod time;

pub use at::{At, Waker};
pub use error::{BoxError, Error, Result};
pub use sink::{Sink, Staged, Writer};
pub use source::{Batch, Found, Read, Reader, Source};
pub use time::Timestamp;
