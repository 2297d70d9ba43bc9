//! [`Leftover`]: what a TaskManager that was killed has left on the disk.
//!
//! The logs of its tasks are there, and nobody has stored their ends: the guards have ended the
//! tasks when it died. So the next TaskManager on this machine stores them, and then removes all of
//! it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt as _;
use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::{NodeNonce, TaskId};
use rustix::process::geteuid;

use super::blob_health::BlobHealth;
use super::contract::remove_apart;
use super::kept::{MOST_STORING, store};
use super::log::TaskLog;
use super::task::LOG;
use super::work_dir::{HIDDEN, OWNER, Owner, TASKS, task_of};

/// Largest owner file.
const LARGEST_OWNER: u64 = 4096;

/// How many entries are looked at for leftovers. A directory with more is not one of ours alone.
const MOST_ENTRIES: usize = 10_000;

/// How long blobs that do not answer are waited for, until the ends of logs are given up: they take
/// room here.
const PATIENCE: Duration = Duration::from_secs(600);

/// The directory of a dead TaskManager.
#[derive(Debug)]
pub(super) struct Leftover {
    path: PathBuf,
    nonce: NodeNonce,
    /// So that no other TaskManager tidies up as well.
    _lock: File,
}

/// What dead relatives of this process have left in this directory. Blocks.
///
/// Only what is provably a leftover is among it: it has the name and the marks of a working
/// directory, belongs to this user, is of this cluster and this host, and nobody holds its lock.
pub(super) fn leftovers(base: &Path, ours: &Owner) -> Vec<Leftover> {
    let Ok(entries) = fs::read_dir(base) else {
        return Vec::new();
    };
    let paths = entries
        .take(MOST_ENTRIES)
        .flatten()
        .map(|entry| entry.path());
    let found = paths.filter_map(|path| match lock_leftover(&path, ours) {
        Ok(lock) => lock.map(|(nonce, lock)| Leftover {
            path,
            nonce,
            _lock: lock,
        }),
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "not a leftover");
            None
        }
    });
    found.collect()
}

/// Stores the ends of the logs in these directories, and removes them.
pub(super) async fn tidy_up(leftovers: Vec<Leftover>, blobs: &Blobs, health: &BlobHealth) {
    for leftover in leftovers {
        let storing = leftover.store_logs(blobs, health);
        let is_stored = tokio::time::timeout(PATIENCE, storing).await.is_ok();
        let removed = tokio::task::spawn_blocking(move || {
            remove_apart(leftover.nonce);
            let removed = remove(&leftover.path);
            (removed, leftover)
        });
        let Ok((removed, leftover)) = removed.await else {
            return;
        };
        let path = leftover.path.display();
        match removed {
            Ok(()) => tracing::info!(%path, is_stored, "removed what a dead TaskManager left"),
            Err(error) => tracing::warn!(
                %path,
                %error,
                "could not remove what a dead TaskManager left; it takes room until somebody does"
            ),
        }
    }
}

impl Leftover {
    async fn store_logs(&self, blobs: &Blobs, health: &BlobHealth) {
        let tasks = self.path.join(TASKS);
        let found = tokio::task::spawn_blocking(move || logs(&tasks)).await;
        let stored = found.unwrap_or_default().into_iter();
        let stored = stored.map(async |(task, log)| store(task, log, blobs, health).await);
        futures::stream::iter(stored)
            .buffer_unordered(MOST_STORING)
            .collect::<()>()
            .await;
    }
}

/// The logs below a directory of tasks.
fn logs(tasks: &Path) -> Vec<(TaskId, TaskLog)> {
    let entries = fs::read_dir(tasks).into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let task = task_of(entry.file_name().to_str()?)?;
        Some((task, TaskLog::found(entry.path().join(LOG)).ok()?))
    });
    found.collect()
}

/// The lock of the directory, if it is of a dead relative.
fn lock_leftover(path: &Path, ours: &Owner) -> io::Result<Option<(NodeNonce, File)>> {
    // Not followed: a link could lead anywhere.
    let found = fs::symlink_metadata(path)?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() {
        return Ok(None);
    }
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Ok(None);
    };
    let name = name.strip_prefix(HIDDEN).unwrap_or(name);
    let mut options = OpenOptions::new();
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = options
        .read(true)
        .custom_flags(no_follow)
        .open(path.join(OWNER))?;
    let mut text = String::new();
    (&file).take(LARGEST_OWNER).read_to_string(&mut text)?;
    let theirs: Owner = serde_json::from_str(&text)?;
    if !theirs.is_a_relative(ours) || name != theirs.dir_name() {
        return Ok(None);
    }
    match file.try_lock() {
        Ok(()) => Ok(Some((theirs.nonce, file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes a leftover. Its owner file goes last, so that an interrupted removal can be finished.
fn remove(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)?.flatten() {
        if entry.file_name() == OWNER {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_file(path.join(OWNER))?;
    fs::remove_dir(path)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::work_dir::WorkDir;
    use super::*;

    fn owner(cluster: &str, number: u128) -> Owner {
        Owner::new(cluster, &format!("name{number}"), NodeNonce::new(number))
    }

    /// The directory of a TaskManager that was killed.
    fn killed(base: &TempDir, owner: &Owner) -> PathBuf {
        let (dir, _) = WorkDir::make(base.path(), owner).unwrap();
        // A kernel closes the files of a dead process.
        dir.unlock();
        let path = base.path().canonicalize().unwrap().join(owner.dir_name());
        std::mem::forget(dir);
        path
    }

    fn paths(leftovers: &[Leftover]) -> Vec<&Path> {
        leftovers.iter().map(|left| left.path.as_path()).collect()
    }

    #[test]
    fn only_a_dead_relative_has_left_something() {
        let base = TempDir::new().unwrap();
        let dead = killed(&base, &owner("ours", 1));
        let other_cluster = killed(&base, &owner("other", 2));
        let (_alive, _) = WorkDir::make(base.path(), &owner("ours", 3)).unwrap();
        let foreign = base.path().join("a.00000000000000000000000000000004");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join(OWNER), "mine").unwrap();
        let linked = base.path().join("name5.00000000000000000000000000000005");
        std::os::unix::fs::symlink(&other_cluster, &linked).unwrap();

        let (_ours, found) = WorkDir::make(base.path(), &owner("ours", 6)).unwrap();
        assert_eq!(paths(&found), [dead.as_path()]);
        let (_third, found) = WorkDir::make(base.path(), &owner("ours", 7)).unwrap();
        assert!(found.is_empty(), "somebody tidies up already: {found:?}");
    }

    #[test]
    fn a_directory_of_another_host_is_left_alone() {
        let base = TempDir::new().unwrap();
        let ours = owner("ours", 1);
        let dead = killed(&base, &ours);
        let text = fs::read_to_string(dead.join(OWNER)).unwrap();
        let elsewhere = text.replace("\"host\":\"", "\"host\":\"not-");
        fs::write(dead.join(OWNER), elsewhere).unwrap();
        let (_ours, found) = WorkDir::make(base.path(), &owner("ours", 2)).unwrap();
        assert!(found.is_empty(), "{found:?}");
    }

    #[tokio::test]
    async fn the_ends_of_logs_are_stored_and_then_all_is_removed() {
        let base = TempDir::new().unwrap();
        let dead = killed(&base, &owner("ours", 1));
        let name = "00000000000000000000000000000001-0000000000000002-3-4";
        let log = dead.join(TASKS).join(name).join(LOG);
        fs::create_dir_all(&log).unwrap();
        fs::write(log.join("00000000000000000000.log"), "one\n").unwrap();
        fs::write(log.join("00000000000000000004.log"), "two\n").unwrap();
        let blobs = Blobs::open("memory:").await.unwrap();
        blobs.belongs_to("ours").await.unwrap();
        let (_ours, found) = WorkDir::make(base.path(), &owner("ours", 2)).unwrap();
        tidy_up(found, &blobs, &BlobHealth::new()).await;
        let stored = blobs.log_tail(task_of(name).unwrap(), "log").await.unwrap();
        assert_eq!(&stored[..], b"one\ntwo\n");
        assert!(!dead.exists());
    }
}
