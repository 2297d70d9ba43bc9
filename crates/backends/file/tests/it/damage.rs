//! A read never gives a wrong answer: if a file is not as it was written, the error names it.

use std::path::{Path, PathBuf};

use incumbent_backend::{Backend, Expected, Failure, Key, Swapped, Unread};
use incumbent_backend_file::FileBackend;
use tempfile::TempDir;

use crate::open;

const BODY: &[u8] = b"{\"epoch\":7}";

struct Damaged {
    dir: TempDir,
    store: FileBackend,
    /// The number of the generation that the key began with.
    first: u64,
}

fn key() -> Key {
    Key::record("demo".parse().unwrap(), "jobs/17".parse().unwrap())
}

impl Damaged {
    async fn with_versions(count: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let mut version = None;
        for _ in 0..count {
            let expected = version.as_ref().map_or(Expected::Absent, Expected::At);
            let Swapped::Committed(next) = store.swap(&key(), expected, BODY).await.unwrap() else {
                panic!()
            };
            version = Some(next);
        }
        let newest: u64 = version
            .unwrap()
            .as_str()
            .split_once('.')
            .unwrap()
            .0
            .parse()
            .unwrap();
        Self {
            store: open(dir.path()),
            dir,
            first: newest - (count - 1) / 64,
        }
    }

    fn key_dir(&self) -> PathBuf {
        self.dir.path().join("demo/jobs+17")
    }

    /// The directory of the nth generation of the key.
    fn generation(&self, nth: u64) -> PathBuf {
        self.key_dir().join(format!("g{}", self.first + nth - 1))
    }

    /// The number of the nth version of the key.
    fn number(&self, nth: u64) -> u64 {
        (self.first - 1) * 64 + nth
    }

    /// The file in this generation that holds the nth version, or the forward in its place.
    fn file(&self, generation: u64, nth: u64) -> PathBuf {
        self.generation(generation)
            .join(self.number(nth).to_string())
    }

    /// Reads the key, and checks that the error names this file.
    async fn is_told(&self, path: &Path) {
        for store in [self.store.clone(), open(self.dir.path())] {
            match store.read(&key()).await {
                Err(Unread::Damaged(why)) => {
                    assert!(why.to_string().contains(path.to_str().unwrap()), "{why}")
                }
                other => panic!("{} is damaged, yet {other:?}", path.display()),
            }
        }
    }
}

#[tokio::test]
async fn every_length_that_a_file_is_cut_to_is_told() {
    let place = Damaged::with_versions(1).await;
    let file = place.file(1, 1);
    let whole = std::fs::read(&file).unwrap();
    assert!(whole.starts_with(BODY), "a person can read it");
    for length in 0..whole.len() {
        std::fs::write(&file, &whole[..length]).unwrap();
        place.is_told(&file).await;
    }
    std::fs::write(&file, whole).unwrap();
    assert_eq!(place.store.read(&key()).await.unwrap().unwrap().body, BODY);
}

#[tokio::test]
async fn every_byte_that_is_changed_is_told() {
    let place = Damaged::with_versions(1).await;
    let file = place.file(1, 1);
    let whole = std::fs::read(&file).unwrap();
    for at in 0..whole.len() {
        for flip in [1, 0x20, 0x80] {
            let mut changed = whole.clone();
            changed[at] ^= flip;
            std::fs::write(&file, changed).unwrap();
            place.is_told(&file).await;
        }
    }
}

#[tokio::test]
async fn a_newer_format_a_directory_and_an_empty_file_are_told() {
    let place = Damaged::with_versions(1).await;
    let file = place.file(1, 1);
    let newer = String::from_utf8(std::fs::read(&file).unwrap())
        .unwrap()
        .replace("#incumbent 1", "#incumbent 2");
    std::fs::write(&file, newer).unwrap();
    place.is_told(&file).await;
    std::fs::write(&file, "").unwrap();
    place.is_told(&file).await;
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    place.is_told(&file).await;
}

#[tokio::test]
async fn a_damaged_forward_and_a_missing_successor_are_told() {
    let place = Damaged::with_versions(65).await;
    let forward = place.file(1, 65);
    std::fs::remove_dir_all(place.generation(2)).unwrap();
    std::fs::create_dir(place.generation(1)).unwrap();
    for nth in 1..=64 {
        std::fs::write(place.file(1, nth), "").unwrap();
    }
    let name = format!("prep-{}-00", place.first);
    let with_checksum = |checksum: u32| {
        let length = name.len();
        format!("{name}\n#incumbent-forward 1 len={length} crc32={checksum:08x}\n")
    };
    std::fs::write(&forward, with_checksum(0)).unwrap();
    place.is_told(&forward).await;
    let whole = with_checksum(crc32fast::hash(name.as_bytes()));
    std::fs::write(&forward, whole).unwrap();
    place.is_told(&place.key_dir()).await;
}

#[tokio::test]
async fn a_key_without_any_version_is_damaged_and_not_absent() {
    let place = Damaged::with_versions(1).await;
    std::fs::remove_dir_all(place.generation(1)).unwrap();
    place.is_told(&place.key_dir()).await;
    assert_eq!(
        place
            .store
            .swap(&key(), Expected::Absent, b"x")
            .await
            .unwrap(),
        Swapped::Conflict
    );
}

#[tokio::test]
async fn files_that_are_none_of_ours_change_no_answer() {
    let place = Damaged::with_versions(2).await;
    let second = place.number(2);
    for name in [
        ".nfs0001",
        &format!("{second}~"),
        &format!(".{second}.swp"),
        &format!("0{}", second + 1),
        &(second + 99_997).to_string(),
        "0",
    ] {
        std::fs::write(place.generation(1).join(name), "something").unwrap();
    }
    for name in ["x", "g", "g0", "g01", "@y"] {
        std::fs::write(place.key_dir().join(name), "something").unwrap();
    }
    std::fs::write(place.dir.path().join("demo/.DS_Store"), "").unwrap();
    let store = open(place.dir.path());
    let found = store.read(&key()).await.unwrap().unwrap();
    let version = format!("{}.{second}", place.first);
    assert_eq!(
        (found.version.as_str(), found.body.as_slice()),
        (version.as_str(), BODY)
    );
    assert_eq!(store.list(key().group()).await.unwrap().len(), 1);
    assert!(matches!(
        store.swap(&key(), Expected::At(&found.version), b"3").await,
        Ok(Swapped::Committed(_))
    ));
}

#[tokio::test]
async fn a_file_where_a_directory_should_be_is_told_by_reads_and_writes() {
    let place = Damaged::with_versions(1).await;
    let group = place.dir.path().join("demo");
    std::fs::remove_dir_all(&group).unwrap();
    std::fs::write(&group, "").unwrap();
    let store = open(place.dir.path());
    assert!(
        matches!(store.read(&key()).await, Err(Unread::Damaged(why)) if why.to_string().contains("demo"))
    );
    assert!(
        matches!(store.list(key().group()).await, Err(Unread::Damaged(why)) if why.to_string().contains("demo"))
    );
    match store.swap(&key(), Expected::Absent, b"x").await {
        Err(Failure::NotApplied(why)) => assert!(why.to_string().contains("demo"), "{why}"),
        other => panic!("{other:?}"),
    }
}
