//! The library on the memory backend, with paused time: events happen in no time, and leases expire
//! in none.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod changes;
mod chaos;
mod create;
mod election;
mod liveness;
mod presence;
mod records;
mod rights;

use incumbent::{Clock, Group, Liveness, Options, Store};
use incumbent_backend_memory::MemoryBackend;

/// One process that takes part in the group `demo` of this store.
fn node(backend: &MemoryBackend, name: &str) -> Group {
    let options = Options {
        holder: Some(name.parse().unwrap()),
        clock: Clock::tokio(),
        liveness: Liveness::Off,
        ..Options::default()
    };
    Store::on(backend.clone())
        .group_with("demo", options)
        .unwrap()
}
