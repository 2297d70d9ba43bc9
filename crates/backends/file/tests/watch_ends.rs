//! This test counts threads, so it needs a process of its own.

use incumbent_backend::Backend;
use incumbent_backend_file::FileBackend;

/// Counts the watching threads of this process.
fn watchers() -> usize {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return 0;
    };
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    tasks
        .filter_map(name)
        .filter(|name| name.starts_with("notify"))
        .count()
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "skipped aloud")]
async fn the_thread_of_a_watch_ends_with_its_stream() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        FileBackend::open(&format!("file://{}", dir.path().display()).parse().unwrap()).unwrap();
    let hints = store.watch(&"demo".parse().unwrap());
    if watchers() == 0 {
        eprintln!("SKIPPED: this system has no /proc to count threads in");
        return;
    }
    drop(hints);
    let all_gone = async {
        while watchers() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), all_gone)
        .await
        .unwrap();
}
