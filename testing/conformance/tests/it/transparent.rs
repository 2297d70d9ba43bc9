//! `Unreliable` without faults behaves like the backend that it wraps.

use incumbent_backend_memory::MemoryBackend;
use incumbent_conformance::{Faults, Place, check, check_unreliable};

fn place() -> Place {
    let store = MemoryBackend::new();
    Place::new(move || std::future::ready(store.clone()))
}

incumbent_conformance::bare!(place().unreliable(Faults::NONE));

#[tokio::test]
async fn the_whole_suite_can_be_run_by_one_call_too() {
    check(place).await;
    check_unreliable(place).await;
}
