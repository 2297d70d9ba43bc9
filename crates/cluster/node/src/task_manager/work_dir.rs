//! [`WorkDir`]: the directory of one TaskManager.
//!
//! ```text
//! DIR/<name>.<nonce>/owner                   locked while the process lives; says who it is
//!                   /artifacts/<sha256>      the cache
//!                   /s/<number>              the sockets of tasks
//!                   /tasks/<job>-<incarnation>-<attempt>-<rank>/work   the directory of a task
//!                                                              /log    its log
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use incumbent_cluster_core::{Attempt, NodeNonce, Rank, TaskId};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::leftovers::{Leftover, leftovers};

/// The file that is locked.
pub(super) const OWNER: &str = "owner";

/// Beginning of the name of a directory that is being made.
pub(super) const HIDDEN: &str = ".";

/// Everything of all tasks.
pub(super) const TASKS: &str = "tasks";

/// The directory of this process. Removed when it is dropped.
#[derive(Debug)]
pub(super) struct WorkDir {
    path: PathBuf,
    /// Locked until this process ends, however it ends.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is held"))]
    lock: File,
}

/// Whose directory it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// [`WHAT`].
    what: String,
    /// The id of the cluster.
    cluster: String,
    /// The name of the TaskManager.
    name: String,
    pub(super) nonce: NodeNonce,
    /// The host: a lock says nothing about a process of another machine.
    host: String,
}

/// What [`Owner::what`] says.
const WHAT: &str = "work directory of an incumbent TaskManager";

impl Owner {
    /// A process of this host.
    pub(super) fn new(cluster: &str, name: &str, nonce: NodeNonce) -> Self {
        Self {
            what: WHAT.to_owned(),
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            nonce,
            host: host(),
        }
    }

    /// Whether both are of one cluster and of one host, so that one may tidy up after the other.
    pub(super) fn is_a_relative(&self, other: &Self) -> bool {
        self.what == other.what && self.cluster == other.cluster && self.host == other.host
    }

    /// The name of its directory.
    pub(super) fn dir_name(&self) -> String {
        // A name may hold anything that people write; the owner file has all of it.
        let plain: String = self
            .name
            .chars()
            .map(|char| match char {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => char,
                _ => '_',
            })
            .take(64)
            .collect();
        format!("{plain}.{}", self.nonce)
    }
}

impl WorkDir {
    /// Makes a directory for this process below `base`, which is made too if it is missing, and
    /// finds what dead TaskManagers of its cluster have left there. Blocks.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made.
    pub(super) fn make(base: &Path, owner: &Owner) -> io::Result<(Self, Vec<Leftover>)> {
        make_dir(base)?;
        // Tasks run elsewhere, so they need the whole path.
        let base = base.canonicalize()?;
        check_owner(&base)?;
        let leftovers = leftovers(&base, owner);
        // It gets its name when it is locked, so that nobody takes it for a leftover.
        let path = base.join(owner.dir_name());
        let draft = base.join(format!("{HIDDEN}{}", owner.dir_name()));
        make_dir(&draft)?;
        let mut options = OpenOptions::new();
        let mut lock = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(draft.join(OWNER))?;
        lock.try_lock()?;
        lock.write_all(&serde_json::to_vec(owner)?)?;
        fs::rename(&draft, &path)?;
        let made = Self { path, lock };
        make_dir(&made.artifacts())?;
        make_dir(&made.tasks())?;
        Ok((made, leftovers))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The cache of artifacts.
    pub(super) fn artifacts(&self) -> PathBuf {
        self.path.join("artifacts")
    }

    /// Everything of one task.
    pub(super) fn of_task(&self, task: TaskId) -> PathBuf {
        self.tasks().join(task_name(task))
    }

    /// As if the process had died.
    #[cfg(test)]
    pub(super) fn unlock(&self) {
        self.lock.unlock().unwrap();
    }

    fn tasks(&self) -> PathBuf {
        self.path.join(TASKS)
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

/// The name of the directory of a task.
fn task_name(task: TaskId) -> String {
    let TaskId {
        job,
        incarnation,
        attempt,
        rank,
    } = task;
    format!("{job}-{incarnation}-{attempt}-{rank}")
}

/// The task whose directory has this name.
pub(super) fn task_of(name: &str) -> Option<TaskId> {
    let mut parts = name.split('-');
    let task = TaskId {
        job: parts.next()?.parse().ok()?,
        incarnation: parts.next()?.parse().ok()?,
        attempt: Attempt(parts.next()?.parse().ok()?),
        rank: Rank(parts.next()?.parse().ok()?),
    };
    (task_name(task) == name).then_some(task)
}

fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use incumbent_cluster_core::{Incarnation, JobId};
    use tempfile::TempDir;

    use super::*;

    fn owner(name: &str) -> Owner {
        Owner::new("cluster", name, NodeNonce::new(1))
    }

    #[test]
    fn a_task_and_its_directory_name_each_other() {
        let task = TaskId {
            job: JobId::new(1),
            incarnation: Incarnation::new(2),
            attempt: Attempt(3),
            rank: Rank(4),
        };
        let name = task_name(task);
        assert_eq!(task_of(&name), Some(task));
        for bad in [
            format!("{name}-5"),
            name.replace("-4", "-04"),
            String::new(),
        ] {
            assert_eq!(task_of(&bad), None, "{bad}");
        }
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "skipped aloud")]
    fn a_directory_of_another_user_is_refused() {
        let base = TempDir::new().unwrap();
        if std::os::unix::fs::chown(base.path(), Some(12345), None).is_err() {
            eprintln!("SKIPPED: only root gives directories away");
            return;
        }
        let refused = WorkDir::make(base.path(), &owner("a")).unwrap_err();
        assert!(refused.to_string().contains("12345"), "{refused}");
    }

    #[test]
    fn it_is_gone_when_the_process_ends_well() {
        let base = TempDir::new().unwrap();
        let (ours, _) = WorkDir::make(base.path(), &owner("../x y")).unwrap();
        let path = ours.path.clone();
        assert_eq!(path.parent().unwrap(), base.path().canonicalize().unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        drop(ours);
        assert!(!path.exists());
    }
}
