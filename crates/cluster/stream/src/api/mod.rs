//! What the author of a job writes with: [`Job`], [`Stream`], [`KeyedStream`].

mod job;
mod keyed;
mod state;
mod stream;

pub use job::Job;
pub use keyed::KeyedStream;
pub use state::Out;
pub use stream::{SourceStream, Stream};
