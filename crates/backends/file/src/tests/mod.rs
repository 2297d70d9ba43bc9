//! Tests that stop and pause processes between system calls.

mod clean;
mod copied;
mod crash;
mod durable;
mod mounts;
mod pause;
mod place;
mod removed;
