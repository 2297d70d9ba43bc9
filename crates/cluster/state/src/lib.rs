//! The format of a job's keyed state in checkpoints.
//!
//! A stream job writes its state in files of this format, and any node reads them: to restore a job
//! with another number of tasks, and to answer a query while nothing runs. So the format knows
//! nothing of the engine.

mod block;
mod group;

pub use block::Block;
pub use group::{GROUPS, KeyGroup, hash_key};
