//! The JobManager, with TaskManagers that only speak the wire.

mod adopting;
mod checkpoints;
mod counting;
mod deposed;
mod fake;
mod harness;
mod many;
mod orders;
mod proofs;
mod registering;
mod removing;
mod savepoints;
mod stores;
