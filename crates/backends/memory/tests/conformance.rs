//! The contract suite, on the store in memory.

use incumbent_backend_memory::MemoryBackend;
use incumbent_conformance::Place;

fn place() -> Place {
    let store = MemoryBackend::new();
    let removing = store.clone();
    Place::new(move || std::future::ready(store.clone())).remove_by_hand(move |key| {
        assert!(removing.remove_by_hand(&key), "{key} was there");
        std::future::ready(())
    })
}

mod bare {
    incumbent_conformance::bare!(super::place());
}

mod unreliable {
    incumbent_conformance::unreliable!(super::place());
}
