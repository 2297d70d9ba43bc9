//! The sink against a small server that fails, is late, and loses answers.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod keys;
mod outages;
mod refused;
mod server;
mod tls;
