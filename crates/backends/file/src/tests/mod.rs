//! Tests that stop and pause processes between calls of the operating system.

mod clean;
mod copied;
mod crash;
mod durable;
mod mounts;
mod pause;
mod place;
mod removed;
