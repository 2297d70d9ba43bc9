//! The server over real sockets. One file per theme; every name is a claim.
//!
//! Some tests kill or stop a server: it is this test binary, started again (`child.rs`). Tests that
//! need a file system of their own mount one, which only root may do; otherwise they print that
//! they are skipped.

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
