//! The contract suite, on a directory of a local file system. Each handle is opened separately, as
//! another process would do it.

use std::sync::atomic::{AtomicUsize, Ordering};

use incumbent_backend_file::FileBackend;
use incumbent_conformance::Place;

fn place(sync: &str) -> Place {
    let dir = tempfile::tempdir().expect("there is room for a temporary directory");
    let store = dir.path().join("store");
    let address = format!("file://{}?sync={sync}", store.display());
    let address = address.parse().expect("it is an address");
    let (removed, aside) = (AtomicUsize::new(0), dir.path().to_owned());
    Place::new(move || {
        std::future::ready(FileBackend::open(&address).expect("the directory is good"))
    })
    .remove_by_hand(move |key| {
        // Renamed out of the group first, as the docs require.
        let name = format!("removed-{}", removed.fetch_add(1, Ordering::Relaxed));
        let directory = store.join(key.group().as_str()).join(key.item());
        std::fs::rename(directory, aside.join(name)).expect("the key has a directory");
        std::future::ready(())
    })
    .keeping(dir)
}

mod bare {
    incumbent_conformance::bare!(super::place("none"));
}

mod bare_synced {
    incumbent_conformance::bare!(super::place("full"));
}

mod unreliable {
    incumbent_conformance::unreliable!(super::place("none"));
}
