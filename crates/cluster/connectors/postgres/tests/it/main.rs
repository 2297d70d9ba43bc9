//! The sink against a real PostgreSQL: crash points, attempts that write at the same time, outages,
//! refusals.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod crashes;
mod fits;
mod kit;
mod locks;
mod outages;
mod refused;
