//! A person has removed the directory of a key, and the key is created again.

use std::path::Path;

use incumbent_backend::{Backend, Expected, Key, Swapped, Version};
use incumbent_backend_file::FileBackend;
use tempfile::TempDir;

use crate::open;

fn key() -> Key {
    Key::record("demo".parse().unwrap(), "jobs/17".parse().unwrap())
}

fn delete_by_hand(dir: &Path) {
    let aside = dir.join("deleted");
    std::fs::rename(dir.join("demo/jobs+17"), &aside).unwrap();
    std::fs::remove_dir_all(aside).unwrap();
}

async fn swap(store: &FileBackend, expected: Expected<'_>, body: &str) -> Option<Version> {
    match store.swap(&key(), expected, body.as_bytes()).await.unwrap() {
        Swapped::Committed(version) => Some(version),
        Swapped::Conflict => None,
    }
}

async fn read(store: &FileBackend) -> Option<(Version, String)> {
    let found = store.read(&key()).await.unwrap()?;
    Some((found.version, String::from_utf8(found.body).unwrap()))
}

/// A key that was written this many times.
async fn written(dir: &TempDir, count: u64) -> (FileBackend, Version) {
    let store = open(dir.path());
    let mut version = swap(&store, Expected::Absent, "old 1").await.unwrap();
    for nth in 2..=count {
        let body = format!("old {nth}");
        version = swap(&store, Expected::At(&version), &body).await.unwrap();
    }
    (store, version)
}

#[tokio::test]
async fn a_version_of_a_key_that_was_deleted_by_hand_matches_nothing_later() {
    for count in [1, 17, 64, 65] {
        let dir = tempfile::tempdir().unwrap();
        let (old, remembered) = written(&dir, count).await;
        delete_by_hand(dir.path());
        let other = open(dir.path());
        let mut newest = swap(&other, Expected::Absent, "new 1").await.unwrap();
        for nth in 2..count + 70 {
            for store in [&old, &open(dir.path())] {
                let stale = swap(store, Expected::At(&remembered), "stale").await;
                assert_eq!(stale, None, "{remembered:?} at {newest:?}");
            }
            let body = format!("new {nth}");
            newest = swap(&other, Expected::At(&newest), &body).await.unwrap();
            let expected = Some((newest.clone(), body));
            assert_eq!(read(&other).await, expected);
            assert_eq!(read(&old).await, expected);
        }
    }
}

#[tokio::test]
async fn a_version_of_a_key_that_was_deleted_by_hand_matches_nothing_while_it_is_absent() {
    for count in [17, 64] {
        let dir = tempfile::tempdir().unwrap();
        let (old, remembered) = written(&dir, count).await;
        delete_by_hand(dir.path());
        for store in [&old, &open(dir.path())] {
            let stale = swap(store, Expected::At(&remembered), "stale").await;
            assert_eq!(stale, None);
            assert_eq!(read(store).await, None);
            assert_eq!(store.list(key().group()).await.unwrap(), []);
        }
    }
}

#[tokio::test]
async fn handles_that_knew_a_key_that_was_deleted_by_hand_read_and_write_the_new_one() {
    for (count, creates) in [(1, 0), (17, 0), (64, 1), (65, 0), (130, 1)] {
        let dir = tempfile::tempdir().unwrap();
        // One handle knows only the first version, one knows the newest because it wrote it, and
        // one knows the newest because it read it.
        let early = open(dir.path());
        let (writer, _) = written(&dir, 1).await;
        let (mut version, _) = read(&early).await.unwrap();
        for nth in 2..=count {
            let body = format!("old {nth}");
            version = swap(&writer, Expected::At(&version), &body).await.unwrap();
        }
        let reader = open(dir.path());
        assert_eq!(read(&reader).await.unwrap().0, version);
        delete_by_hand(dir.path());
        let handles = [early, writer, reader, open(dir.path())];

        let mut newest = swap(&handles[creates], Expected::Absent, "new 1")
            .await
            .unwrap();
        // Each handle writes after a version that another one wrote, without reading it first.
        for nth in 0..200 {
            let body = format!("new {nth}");
            let store = &handles[nth % handles.len()];
            newest = swap(store, Expected::At(&newest), &body).await.unwrap();
            if nth % 5 == 0 {
                for store in &handles {
                    assert_eq!(read(store).await, Some((newest.clone(), body.clone())));
                    assert_eq!(swap(store, Expected::Absent, "again").await, None);
                    let listed = store.list(key().group()).await.unwrap();
                    assert_eq!(listed.len(), 1);
                    assert_eq!(listed[0].version, newest);
                }
            }
        }
    }
}
