//! The server over real sockets, asked by whoever doubts it. One file per theme; every name is a
//! claim.
//!
//! Some tests kill or stop a server: that one is this test binary once more, see `child.rs`. Those
//! that need a file system of their own mount one, which only root may do: else they are skipped
//! aloud.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod access;
mod bad_input;
mod child;
mod crowds;
mod damage;
mod full_disk;
mod harness;
mod killed;
mod large;
mod limits;
mod memory;
mod order;
mod raw;
mod restart;
mod sessions;
mod slow_readers;
mod stopped;
mod tls;
mod words;
