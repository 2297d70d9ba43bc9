//! The system calls that the store makes. Each error names the file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::Access;

use crate::error::FileError;
use crate::hook::{Go, Hook, Step};

/// Whether acknowledged writes are on the disk, or only in the memory of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// A commit survives a loss of power.
    Full,
    /// A commit survives the death of processes, not of the machine.
    None,
}

impl Durability {
    /// The name used in addresses and markers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::None => "none",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Full, Self::None]
            .into_iter()
            .find(|durability| durability.name() == name)
    }
}

/// Every access to a file goes through this type.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) durability: Durability,
    pub(crate) hook: Hook,
}

type Done<T> = Result<T, FileError>;

impl Disk {
    /// Whether this name exists.
    pub(crate) fn exists(&self, path: &Path) -> Done<bool> {
        match self.run(Step::Look, "look for", path, || fs::symlink_metadata(path)) {
            Ok(_) => Ok(true),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Fails with a "missing" error if this name does not exist.
    pub(crate) fn look(&self, path: &Path) -> Done<()> {
        self.run(Step::Look, "look for", path, || fs::symlink_metadata(path))
            .map(|_| ())
    }

    pub(crate) fn modified(&self, path: &Path) -> Done<SystemTime> {
        self.run(Step::Look, "look at", path, || {
            fs::symlink_metadata(path)?.modified()
        })
    }

    /// Identifies the file behind a name: two names have the same identity exactly if they name the
    /// same file.
    pub(crate) fn identity(&self, path: &Path) -> Done<(u64, u64)> {
        self.run(Step::Look, "look at", path, || fs::symlink_metadata(path))
            .map(|metadata| (metadata.dev(), metadata.ino()))
    }

    /// Lists the names in a directory. Names that are not UTF-8 are left out: the store makes none.
    pub(crate) fn list(&self, dir: &Path) -> Done<Vec<String>> {
        self.run(Step::List, "list", dir, || {
            let mut names = Vec::new();
            for entry in fs::read_dir(dir)? {
                names.extend(entry?.file_name().into_string());
            }
            Ok(names)
        })
    }

    pub(crate) fn read(&self, path: &Path) -> Done<Vec<u8>> {
        self.run(Step::Read, "read", path, || fs::read(path))
    }

    /// Asks the system whether names in this directory may be created and removed.
    pub(crate) fn may_write(&self, dir: &Path) -> Done<()> {
        let wanted = Access::WRITE_OK | Access::EXEC_OK;
        self.run(Step::Look, "write into", dir, || {
            Ok(rustix::fs::access(dir, wanted)?)
        })
    }

    pub(crate) fn make_dir(&self, dir: &Path) -> Done<()> {
        self.run(Step::MakeDir, "create the directory", dir, || {
            fs::create_dir(dir)
        })
    }

    /// Creates a directory that only its owner may use, and its missing parents. Each one is on the
    /// disk before the next is created in it.
    pub(crate) fn make_private_dirs(&self, dir: &Path) -> Done<()> {
        let mut made = self.make_private_dir(dir);
        let Some(above) = dir.parent() else {
            return if dir.is_dir() { Ok(()) } else { made };
        };
        if matches!(&made, Err(error) if error.is_missing()) {
            self.make_private_dirs(above)?;
            made = self.make_private_dir(dir);
        }
        match made {
            Ok(()) => self.sync_dir(above),
            // The process that made it may have been killed before it was on the disk. If we may
            // not look into the parent directory, another account made both of them for us.
            Err(_) if dir.is_dir() => match self.sync_dir(above) {
                Err(error) if error.kind() == Some(io::ErrorKind::PermissionDenied) => Ok(()),
                synced => synced,
            },
            Err(error) => Err(error),
        }
    }

    fn make_private_dir(&self, dir: &Path) -> Done<()> {
        self.run(Step::MakeDir, "create the directory", dir, || {
            fs::DirBuilder::new().mode(0o700).create(dir)
        })
    }

    /// Writes a new file, and syncs it to the disk if durability is `Full`.
    pub(crate) fn write_new(&self, path: &Path, content: &[u8]) -> Done<()> {
        let mut file = self.run(Step::Create, "create", path, || File::create_new(path))?;
        self.run(Step::Write, "write", path, || file.write_all(content))?;
        if self.durability == Durability::Full {
            self.run(Step::SyncFile, "sync", path, || file.sync_all())?;
        }
        Ok(())
    }

    /// Syncs the names in this directory to the disk, if durability is `Full`.
    pub(crate) fn sync_dir(&self, dir: &Path) -> Done<()> {
        if self.durability == Durability::None {
            return Ok(());
        }
        self.run(Step::SyncDir, "sync", dir, || {
            match File::open(dir)?.sync_all() {
                // File systems that cannot sync directories return this error, and need no sync.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
                other => other,
            }
        })
    }

    pub(crate) fn link(&self, from: &Path, to: &Path) -> Done<()> {
        self.run(Step::Link, "link to", to, || fs::hard_link(from, to))
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Done<()> {
        self.run(Step::Rename, "rename to", to, || fs::rename(from, to))
    }

    /// Removes a file. A missing file is no error.
    pub(crate) fn unlink(&self, path: &Path) -> Done<()> {
        gone_is_fine(self.run(Step::Unlink, "remove", path, || fs::remove_file(path)))
    }

    /// Removes a directory and its content. Missing parts are no error.
    pub(crate) fn remove_tree(&self, path: &Path) -> Done<()> {
        gone_is_fine(self.run(Step::RemoveDir, "remove", path, || fs::remove_dir_all(path)))
    }

    fn run<T>(
        &self,
        step: Step,
        doing: &'static str,
        path: &Path,
        call: impl FnOnce() -> io::Result<T>,
    ) -> Done<T> {
        match self.hook.ask(step) {
            Go::On => call().map_err(|error| FileError::system(doing, path, error)),
            Go::Dead => Err(FileError::system(
                doing,
                path,
                io::Error::other("killed by a test"),
            )),
        }
    }
}

fn gone_is_fine(done: Done<()>) -> Done<()> {
    match done {
        Err(error) if error.is_missing() => Ok(()),
        other => other,
    }
}
