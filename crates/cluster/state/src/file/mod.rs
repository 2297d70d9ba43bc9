//! A file of state: blocks, and an index at the end. `FORMAT.md` says what the bytes mean.

mod frame;
mod index;
mod read;
mod split;
mod write;

pub use frame::MOST_BLOCK;
pub use index::{BlockAt, Index, IndexedState, Opening};
pub use read::BlockReader;
pub use split::Splitter;
pub use write::{Contents, StateWriter};

/// The version of the format that this build writes. It reads this one and all before it.
pub const VERSION: u32 = 1;

#[cfg(test)]
mod tests;
