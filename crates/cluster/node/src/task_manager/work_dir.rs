//! [`WorkDir`]: the directory of one TaskManager, and what dead ones have left.
//!
//! ```text
//! DIR/<name>.<nonce>/owner                   locked while the process lives; says who it is
//!                   /artifacts/<sha256>      the cache
//!                   /tasks/<job>-<incarnation>-<attempt>-<rank>/work   the directory of a task
//!                                                              /log    its log
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use incumbent_cluster_core::{NodeNonce, TaskId};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

/// The file that is locked.
const OWNER: &str = "owner";

/// Largest such file.
const LARGEST_OWNER: u64 = 4096;

/// Beginning of the name of a directory that is being made or removed.
const HIDDEN: &str = ".";

/// How many entries are looked at for leftovers. A directory with more is not one of ours alone.
const MOST_ENTRIES: usize = 10_000;

/// The directory of this process. Removed when it is dropped.
#[derive(Debug)]
pub(super) struct WorkDir {
    path: PathBuf,
    /// Locked until this process ends, however it ends.
    _lock: File,
}

/// Whose directory it is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    /// [`WHAT`].
    what: String,
    name: String,
    nonce: NodeNonce,
    /// The host: a lock says nothing about a process of another machine.
    host: String,
}

/// What [`Owner::what`] says.
const WHAT: &str = "work directory of an incumbent TaskManager";

impl WorkDir {
    /// Makes a directory for this process below `base`, which is made too if it is missing, and
    /// removes those that dead TaskManagers of the same name have left there. Blocks.
    ///
    /// Only what is provably a leftover is removed: it has the name and the marks that this
    /// function makes, belongs to this user, is of this host, and nobody holds its lock.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made.
    pub(super) fn make(base: &Path, name: &str, nonce: NodeNonce) -> io::Result<Self> {
        make_dir(base)?;
        // Tasks run elsewhere, so they need the whole path.
        let base = base.canonicalize()?;
        check_owner(&base)?;
        let owner = Owner {
            what: WHAT.to_owned(),
            name: name.to_owned(),
            nonce,
            host: host(),
        };
        remove_leftovers(&base, &owner);
        // It gets its name when it is locked, so that nobody takes it for a leftover.
        let path = base.join(dir_name(name, nonce));
        let draft = base.join(format!("{HIDDEN}{}", dir_name(name, nonce)));
        make_dir(&draft)?;
        let mut options = OpenOptions::new();
        let mut lock = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(draft.join(OWNER))?;
        lock.try_lock()?;
        lock.write_all(&serde_json::to_vec(&owner)?)?;
        fs::rename(&draft, &path)?;
        let made = Self { path, _lock: lock };
        make_dir(&made.artifacts())?;
        make_dir(&made.tasks())?;
        Ok(made)
    }

    /// The cache of artifacts.
    pub(super) fn artifacts(&self) -> PathBuf {
        self.path.join("artifacts")
    }

    /// Everything of one task.
    pub(super) fn of_task(&self, task: TaskId) -> PathBuf {
        let TaskId {
            job,
            incarnation,
            attempt,
            rank,
        } = task;
        let name = format!("{job}-{incarnation}-{attempt}-{rank}");
        self.tasks().join(name)
    }

    fn tasks(&self) -> PathBuf {
        self.path.join("tasks")
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(
                path = %self.path.display(),
                %error,
                "could not remove the work directory; the next TaskManager of this name removes it"
            );
        }
    }
}

/// Makes a directory that only this user can look into: tasks may write anything there.
pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Refuses a directory of another user, who could put other programs in the place of artifacts.
/// Below the system's temporary directory anybody can make one first.
fn check_owner(base: &Path) -> io::Result<()> {
    let owner = fs::metadata(base)?.uid();
    if owner == geteuid().as_raw() || owner == 0 {
        return Ok(());
    }
    let why = format!("it belongs to the user with number {owner}, and not to this one or root");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

fn dir_name(name: &str, nonce: NodeNonce) -> String {
    // A name may hold anything that people write; the owner file has all of it.
    let plain: String = name
        .chars()
        .map(|char| match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => char,
            _ => '_',
        })
        .take(64)
        .collect();
    format!("{plain}.{nonce}")
}

fn remove_leftovers(base: &Path, ours: &Owner) {
    let Ok(entries) = fs::read_dir(base) else {
        return;
    };
    for entry in entries.take(MOST_ENTRIES).flatten() {
        let path = entry.path();
        match lock_leftover(&path, ours) {
            Ok(Some(lock)) => match remove(&path) {
                Ok(()) => {
                    tracing::info!(path = %path.display(), "removed what a dead TaskManager left");
                    drop(lock);
                }
                Err(error) => tracing::warn!(
                    path = %path.display(),
                    %error,
                    "could not remove what a dead TaskManager left; it takes room until somebody does"
                ),
            },
            Ok(None) => {}
            Err(error) => tracing::debug!(path = %path.display(), %error, "not a leftover"),
        }
    }
}

/// The lock of the directory, if it is of a dead TaskManager of this name.
fn lock_leftover(path: &Path, ours: &Owner) -> io::Result<Option<File>> {
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
    let is_a_relative =
        theirs.what == ours.what && theirs.name == ours.name && theirs.host == ours.host;
    if !is_a_relative || name != dir_name(&theirs.name, theirs.nonce) {
        return Ok(None);
    }
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
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

fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn nonce(number: u128) -> NodeNonce {
        NodeNonce::new(number)
    }

    /// The directory of a TaskManager that was killed.
    fn killed(base: &TempDir, name: &str, number: u128) -> PathBuf {
        let WorkDir { path, _lock } =
            &*std::mem::ManuallyDrop::new(WorkDir::make(base.path(), name, nonce(number)).unwrap());
        // A kernel closes the files of a dead process.
        let _ = _lock.unlock();
        path.clone()
    }

    #[test]
    fn a_dead_one_of_the_same_name_is_removed_and_nobody_else() {
        let base = TempDir::new().unwrap();
        let dead = killed(&base, "a", 1);
        fs::write(dead.join("tasks/file"), "x").unwrap();
        let other_name = killed(&base, "b", 2);
        let alive = WorkDir::make(base.path(), "a", nonce(3)).unwrap();
        let foreign = base.path().join("a.00000000000000000000000000000004");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join(OWNER), "mine").unwrap();
        let linked = base.path().join("a.00000000000000000000000000000005");
        std::os::unix::fs::symlink(&other_name, &linked).unwrap();

        let ours = WorkDir::make(base.path(), "a", nonce(6)).unwrap();
        assert!(!dead.exists());
        for kept in [&other_name, &alive.path, &foreign, &linked, &ours.path] {
            assert!(kept.exists(), "{}", kept.display());
        }
    }

    #[test]
    fn a_directory_of_another_host_is_left_alone() {
        let base = TempDir::new().unwrap();
        let dead = killed(&base, "a", 1);
        let owner = Owner {
            what: WHAT.to_owned(),
            name: "a".to_owned(),
            nonce: nonce(1),
            host: format!("not-{}", host()),
        };
        fs::write(dead.join(OWNER), serde_json::to_vec(&owner).unwrap()).unwrap();
        let _ours = WorkDir::make(base.path(), "a", nonce(2)).unwrap();
        assert!(dead.exists());
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "skipped aloud")]
    fn a_directory_of_another_user_is_refused() {
        let base = TempDir::new().unwrap();
        if std::os::unix::fs::chown(base.path(), Some(12345), None).is_err() {
            eprintln!("SKIPPED: only root gives directories away");
            return;
        }
        let refused = WorkDir::make(base.path(), "a", nonce(1)).unwrap_err();
        assert!(refused.to_string().contains("12345"), "{refused}");
    }

    #[test]
    fn it_is_gone_when_the_process_ends_well() {
        let base = TempDir::new().unwrap();
        let ours = WorkDir::make(base.path(), "../x y", nonce(1)).unwrap();
        let path = ours.path.clone();
        assert_eq!(path.parent().unwrap(), base.path().canonicalize().unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        drop(ours);
        assert!(!path.exists());
    }
}
