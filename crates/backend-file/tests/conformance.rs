//! The contract, on a directory of a local file system. Each handle is opened anew, as another process would.

use incumbent_backend_file::FileBackend;
use incumbent_conformance::Place;

fn place(sync: &str) -> Place {
    let dir = tempfile::tempdir().expect("there is room for a temporary directory");
    let address = format!("file://{}/store?sync={sync}", dir.path().display());
    let address = address.parse().expect("it is an address");
    Place::new(move || {
        std::future::ready(FileBackend::open(&address).expect("the directory is good"))
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
