//! File systems that do not answer.

use std::fs::OpenOptions;
use std::time::Duration;

use incumbent_cluster_blobs::{Digest, Error, OPERATION, OPERATIONS};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::Dir;

/// Longer than any thread needs to begin, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// All threads that the runtime has for blocking work.
const THREADS: usize = OPERATIONS + 4;

#[test]
fn an_operation_that_hangs_ends_in_time_and_leaves_threads_to_others() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime
        .enable_all()
        .start_paused(true)
        .max_blocking_threads(THREADS);
    runtime.build().unwrap().block_on(async {
        let dir = Dir::new().await;
        let digest = Digest::of(b"hangs");
        let _hanging = Hanging::at(dir.path("artifacts").join(digest.to_string()));
        let asked = (0..2 * THREADS).map(|_| {
            let blobs = dir.blobs.clone();
            tokio::spawn(async move { blobs.has_artifact(digest).await })
        });
        let asked: Vec<_> = asked.collect();
        // Each has begun, or waits for its turn.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        let (done, others) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || done.send(()));
        others.recv_timeout(PATIENCE).expect("a thread was left");

        tokio::time::advance(OPERATION + Duration::from_secs(1)).await;
        for answer in asked {
            let outage = answer.await.unwrap().unwrap_err();
            assert!(matches!(outage, Error::Unavailable { .. }), "{outage:?}");
            let said = outage.to_string();
            assert!(said.contains("did not end within 30 s"), "{said}");
        }
    });
}
