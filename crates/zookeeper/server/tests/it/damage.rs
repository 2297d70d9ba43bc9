//! A log that was changed from outside.

use incumbent_leader_server::{Server, StartError};

use crate::harness::{Running, create_with, done, kept_in};

#[tokio::test]
async fn a_damaged_log_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(kept_in(dir.path())).await;
    let mut probe = server.client().await;
    for index in 0..40 {
        let path = format!("/{index}");
        done(&mut probe, &create_with(&path, 0, &[b'x'; 2000])).await;
    }
    server.stop().await;
    let mut logs: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("log")
        })
        .collect();
    logs.sort();
    let log = &logs[0];
    let mut bytes = std::fs::read(log).unwrap();
    // In the middle of the log, with much after it.
    bytes[70_000] ^= 1;
    std::fs::write(log, &bytes).unwrap();
    let refused = Server::bind(kept_in(dir.path())).await.err().unwrap();
    let StartError::Directory { cause, .. } = &refused else {
        panic!("{refused:?}")
    };
    let cause = cause.to_string();
    let name = log.file_name().unwrap().to_str().unwrap();
    assert!(cause.contains(name), "{cause}");
    assert!(cause.contains("is damaged at byte"), "{cause}");
    // After the change is undone, the server starts.
    bytes[70_000] ^= 1;
    std::fs::write(log, &bytes).unwrap();
    let server = Running::start(kept_in(dir.path())).await;
    assert_eq!(server.monitor.report().summary.nodes, 4 + 40);
}
