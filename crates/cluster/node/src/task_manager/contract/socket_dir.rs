//! [`SocketDir`]: where the sockets of tasks are. A path of a socket has at most 107 bytes, and the
//! directory of a task is far longer, so they have a directory of their own.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use incumbent_cluster_core::NodeNonce;
use rustix::process::geteuid;

use crate::task_manager::work_dir::make_dir;

/// Most bytes of the path of a socket: the kernel's 108, less the zero at their end.
const LONGEST_PATH: usize = 107;

/// What follows the path of the directory: a slash, and a number in hexadecimal digits.
const LONGEST_NAME: usize = 1 + 8;

/// The directory of the sockets of a TaskManager. Nobody but its user can look into it.
#[derive(Debug)]
pub(in super::super) struct SocketDir {
    path: PathBuf,
    /// It is not in the directory of the TaskManager, so it is removed here.
    is_apart: bool,
    next: AtomicU32,
}

impl SocketDir {
    /// Makes one in this directory, or among the temporary files of the system if that has too long
    /// a path. Blocks.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or neither path is short enough.
    pub(in super::super) fn make(within: &Path, nonce: NodeNonce) -> io::Result<Self> {
        let usual = within.join("s");
        let is_apart = !is_short(&usual);
        let path = if is_apart { apart(nonce) } else { usual };
        if !is_short(&path) {
            let shown = path.display();
            let why = format!("the paths of sockets in {shown} would be too long");
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, why));
        }
        match is_apart {
            // Nobody can have made it before.
            true => DirBuilder::new().mode(0o700).create(&path)?,
            false => make_dir(&path)?,
        }
        Ok(Self {
            path,
            is_apart,
            next: AtomicU32::new(0),
        })
    }

    /// A path that no other task of this process has, until there were four billions.
    pub(super) fn next(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.path.join(format!("{number:x}"))
    }
}

impl Drop for SocketDir {
    fn drop(&mut self) {
        if self.is_apart {
            // The next TaskManager of this name tries again.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Where the sockets of this TaskManager are, if they are not in its own directory.
pub(in super::super) fn apart(nonce: NodeNonce) -> PathBuf {
    std::env::temp_dir().join(format!("incumbent-{nonce}"))
}

/// Removes the directory of sockets that a dead TaskManager has left, if it had one apart. Blocks.
pub(in super::super) fn remove_apart(nonce: NodeNonce) {
    let path = apart(nonce);
    // Not followed: a link could lead anywhere.
    let is_ours = fs::symlink_metadata(&path)
        .is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw());
    if is_ours {
        let _ = fs::remove_dir_all(&path);
    }
}

fn is_short(dir: &Path) -> bool {
    dir.as_os_str().as_bytes().len() + LONGEST_NAME <= LONGEST_PATH
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn sockets_of_a_long_directory_are_apart_and_go_with_it() {
        let base = TempDir::new().unwrap();
        let short = SocketDir::make(base.path(), NodeNonce::new(1)).unwrap();
        assert!(short.next().starts_with(base.path()));
        assert_ne!(short.next(), short.next());
        let long = base.path().join("x".repeat(100));
        let nonce = NodeNonce::new(u128::from(std::process::id()) + 2);
        let dir = SocketDir::make(&long, nonce).unwrap();
        let path = dir.next();
        assert!(path.starts_with(apart(nonce)), "{path:?}");
        assert!(path.as_os_str().len() <= LONGEST_PATH);
        drop(dir);
        assert!(!apart(nonce).exists());
        std::mem::forget(SocketDir::make(&long, nonce).unwrap());
        remove_apart(nonce);
        assert!(!apart(nonce).exists());
    }
}
