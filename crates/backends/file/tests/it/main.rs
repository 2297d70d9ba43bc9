//! Damaged files, and processes that are killed and stopped.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod damage;
mod opening;
mod processes;
mod removal;

use std::path::Path;

use incumbent_backend_file::FileBackend;

fn open(dir: &Path) -> FileBackend {
    FileBackend::open(
        &format!("file://{}?sync=none", dir.display())
            .parse()
            .unwrap(),
    )
    .unwrap()
}
