//! The contract, on the store in memory.

use incumbent_backend_memory::MemoryBackend;
use incumbent_conformance::Place;

fn place() -> Place {
    let store = MemoryBackend::new();
    Place::new(move || std::future::ready(store.clone()))
}

mod bare {
    incumbent_conformance::bare!(super::place());
}

mod unreliable {
    incumbent_conformance::unreliable!(super::place());
}
