//! Simulation and exhaustive model of Incumbent, in virtual time.
//!
//! [`model`] goes through every state of a small world; start reading there.
//!
//! The simulation goes through a large world along one path per seed. It drives the very code of
//! `incumbent-core`: start reading in [`simulation`], then [`world`] (what happens to nodes, store
//! and network), [`node`] (one process) and [`invariants`] (what is promised, one promise per
//! file).
//!
//! [`cluster`] does the same with jobs, above the election.
//!
//! ```text
//!   simulation ─► faults::Plan (from the seed) ─► world ─► node: Election, Write ─► history::Fact ─► oracle ─► invariants
//! ```

pub mod clock;
pub mod cluster;
pub mod dice;
pub mod faults;
mod fingerprint;
pub mod history;
pub mod invariants;
pub mod linearizable;
pub mod model;
pub mod node;
pub mod oracle;
pub mod simulation;
pub mod store;
pub mod trace;
mod workload;
pub mod world;
