//! File systems that do not answer.

use std::fs::OpenOptions;
use std::time::Duration;

use incumbent_cluster_blobs::{Digest, Error, OPERATION, OPERATIONS};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::Dir;

/// Opening it for reading waits for somebody who opens it for writing, as a file of a server that
/// is gone does.
struct Hanging(std::path::PathBuf);

impl Hanging {
    fn at(path: std::path::PathBuf) -> Self {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        mknodat(CWD, &path, FileType::Fifo, Mode::from(0o600), 0).unwrap();
        Self(path)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        // Lets go of all threads that wait, and of those that are about to: the runtime waits for
        // them. So it stays open until the process ends.
        std::mem::forget(OpenOptions::new().read(true).write(true).open(&self.0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_hangs_ends_in_time_and_occupies_few_threads() {
    let dir = Dir::new().await;
    let digest = Digest::of(b"hangs");
    let _hanging = Hanging::at(dir.path("artifacts").join(digest.to_string()));
    let asked = (0..OPERATIONS + 8).map(|_| {
        let blobs = dir.blobs.clone();
        tokio::spawn(async move { blobs.has_artifact(digest).await })
    });
    let asked: Vec<_> = asked.collect();
    // All of them have begun, or wait for their turn.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(OPERATION + Duration::from_secs(1)).await;
    for answer in asked {
        let outage = answer.await.unwrap().unwrap_err();
        assert!(matches!(outage, Error::Unavailable { .. }), "{outage:?}");
        assert!(
            outage.to_string().contains("did not end within 30 s"),
            "{outage}"
        );
    }
}
