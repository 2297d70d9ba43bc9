//! Joins: [`KeyedStream::join`](crate::KeyedStream::join).
//!
//! Start with [`api`], which is what authors write with. `pairs` is the logic of joins without
//! windows; those with windows are windows over both sides.

mod api;
mod pairs;
#[cfg(test)]
mod tests;

pub use api::{Join, PairJoin, WindowJoin};

use serde::{Deserialize, Serialize};

/// A record of one of two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Either<A, B> {
    /// Of the stream whose `join` was called.
    Left(A),
    /// Of the other one.
    Right(B),
}
