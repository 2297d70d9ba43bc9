//! Curator, on ZooKeeper's own Java client.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::needs;
use crate::program::finished;
use crate::server::Server;

pub(crate) const TOPICS: [&str; 8] = [
    "leading", "locking", "caching", "counting", "keeping", "writing", "watching", "sessions",
];

/// Checks the claims of `curator/TOPIC.java`.
pub(crate) fn run(server: &Server, topic: &str) {
    let Some(class_path) = needs::curator() else {
        return;
    };
    let classes = compiled(&class_path);
    let mut command = Command::new("java");
    command
        .args(needs::JVM_FLAGS)
        .arg("-cp")
        .arg(format!("{}:{class_path}", classes.display()))
        .args(["Main", server.address(), topic]);
    let (status, output) = finished(&mut command);
    println!("{output}");
    assert!(
        status.success(),
        "not all of Curator's {topic} is as claimed"
    );
    assert!(output.contains("ok "), "nothing was checked");
}

/// The directory of the classes. They are compiled once for all topics, into a directory that no
/// other run uses.
fn compiled(class_path: &str) -> &'static Path {
    static CLASSES: OnceLock<PathBuf> = OnceLock::new();
    CLASSES.get_or_init(|| {
        let classes = needs::target().join(format!("foreign/curator-{}", sources_digest()));
        if !classes.exists() {
            compile(class_path, &classes);
        }
        classes
    })
}

fn compile(class_path: &str, classes: &Path) {
    let parent = needs::target().join("foreign");
    std::fs::create_dir_all(&parent).unwrap();
    let fresh = TempDir::new_in(&parent).unwrap();
    let mut command = Command::new("javac");
    command
        .args(["-J-Xmx256m", "-J-XX:TieredStopAtLevel=1", "-d"])
        .arg(fresh.path())
        .args(["-cp", class_path])
        .args(sources());
    let (status, output) = finished(&mut command);
    assert!(status.success(), "{output}");
    // Another run may have done the same in between: its classes are as good.
    let _ = std::fs::rename(fresh.path(), classes);
}

fn sources() -> Vec<PathBuf> {
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("curator"));
    let paths = files.unwrap().map(|entry| entry.unwrap().path());
    let mut sources: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "java"))
        .collect();
    sources.sort();
    sources
}

/// Changes whenever a source does.
fn sources_digest() -> String {
    let mut hasher = DefaultHasher::new();
    for source in sources() {
        std::fs::read(source).unwrap().hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

#[test]
fn curator_elects_leaders() {
    run(&Server::start(), "leading");
}

#[test]
fn curator_locks() {
    run(&Server::start(), "locking");
}

#[test]
fn curator_caches() {
    run(&Server::start(), "caching");
}

#[test]
fn curator_counts() {
    run(&Server::start(), "counting");
}

#[test]
fn curator_keeps_nodes_queues_and_barriers() {
    run(&Server::start(), "keeping");
}

#[test]
fn curator_writes() {
    run(&Server::start(), "writing");
}

#[test]
fn curator_watches() {
    run(&Server::start(), "watching");
}

#[test]
fn curator_keeps_and_loses_sessions() {
    run(&Server::start(), "sessions");
}
