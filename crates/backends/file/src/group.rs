//! The directory of a group, and its drafts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use incumbent_backend::{GroupName, Key, Rights, causes};

use crate::codec::{self, Kind};
use crate::error::FileError;
use crate::names::{self, DRAFTS, Number};
use crate::store::Store;

/// Drafts younger than this are left alone. Removing a draft is harmless at any age, see
/// [`Group::clean`]; the limit only spares a slow writer from starting again.
const LEFT_ALONE: Duration = Duration::from_secs(3600);

/// The files of a group.
pub(crate) struct Group<'a> {
    pub(crate) store: &'a Store,
    pub(crate) dir: PathBuf,
}

/// A file that is whole, but not yet in its place.
pub(crate) struct Draft {
    pub(crate) path: PathBuf,
}

impl<'a> Group<'a> {
    pub(crate) fn new(store: &'a Store, name: &GroupName) -> Self {
        Self {
            store,
            dir: names::group_dir(&store.dir, name),
        }
    }

    pub(crate) fn drafts(&self) -> PathBuf {
        self.dir.join(DRAFTS)
    }

    /// Creates the directories of the group if they are missing.
    pub(crate) fn make(&self) -> Result<(), FileError> {
        self.store.still_there()?;
        for (dir, above) in [(&self.dir, &self.store.dir), (&self.drafts(), &self.dir)] {
            match self.store.disk.make_dir(dir) {
                // The process that made it may have been killed before it was on the disk.
                Ok(()) => self.store.disk.sync_dir(above)?,
                Err(error) if error.is_taken() => self.store.disk.sync_dir(above)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Asks whether a key could be written. Changes no key.
    ///
    /// Where the directory of drafts exists, this writes a file there and removes it, so a full
    /// disk is noticed too. Otherwise it asks the system whether the directory could be created.
    pub(crate) fn check_rights(&self) -> Result<Rights, FileError> {
        self.store.still_there()?;
        let disk = &self.store.disk;
        let tried = if disk.exists(&self.drafts())? {
            let probe = self.drafts().join(names::fresh("rights"));
            let written = disk.write_new(&probe, b"?");
            self.tell(disk.unlink(&probe));
            // Records are directories in the directory of the group.
            written.and_then(|()| disk.may_write(&self.dir))
        } else if disk.exists(&self.dir)? {
            disk.may_write(&self.dir)
        } else {
            disk.may_write(&self.store.dir)
        };
        match tried {
            Ok(()) => Ok(Rights::Granted),
            // Another process has just made or removed the group.
            Err(error) if error.is_missing() => Ok(Rights::Unknown),
            Err(error) if error.did_nothing() => Ok(Rights::Missing(format!(
                "{}; give this process's user write permission on the store {} and all below it, on \
                 a disk with room",
                causes(&error),
                self.store.dir.display()
            ))),
            Err(error) => Err(error),
        }
    }

    /// Writes a draft of this version of a key.
    pub(crate) fn draft(&self, key: &Key, number: Number, body: &[u8]) -> Result<Draft, FileError> {
        self.write(&names::fresh_draft(key, number), Kind::Body, body)
    }

    /// Writes a draft of a forward, which ends a generation.
    pub(crate) fn draft_forward(&self, successor: &str) -> Result<Draft, FileError> {
        self.write(
            &names::fresh("forward"),
            Kind::Forward,
            successor.as_bytes(),
        )
    }

    fn write(&self, name: &str, kind: Kind, body: &[u8]) -> Result<Draft, FileError> {
        let path = self.drafts().join(name);
        let content = codec::encode(kind, body);
        let written = match self.store.disk.write_new(&path, &content) {
            Err(error) if error.is_missing() => {
                self.make()?;
                self.store.disk.write_new(&path, &content)
            }
            written => written,
        };
        let draft = Draft { path };
        if written.is_err() {
            self.discard(&draft.path);
        }
        written.map(|()| draft)
    }

    /// Removes a draft whose file is in its place. Watchers hear this removal as the bell.
    pub(crate) fn ring(&self, draft: &Draft) {
        self.tell(self.store.disk.unlink(&draft.path));
    }

    /// Removes a draft or a prepared tree that is not needed. It is renamed first, so that no
    /// watcher takes the removal for the bell, and no slow process puts half a tree into place.
    pub(crate) fn discard(&self, path: &Path) {
        let out = self.drafts().join(names::fresh("out"));
        match self.store.disk.rename(path, &out) {
            Ok(()) => self.tell(self.remove_any(&out)),
            Err(error) if error.is_missing() => {}
            Err(error) => self.tell(Err(error)),
        }
    }

    /// Removes what killed writers have left behind. The file system's own clock decides how old it
    /// is.
    ///
    /// This may hit a writer that is merely slow. That does no harm: a draft that was removed
    /// cannot be linked, and a tree is renamed before anything in it is removed, so its writer
    /// cannot put half of it into place. The writer gets the error that nothing was written.
    pub(crate) fn clean(&self, just_written: &Draft) {
        let disk = &self.store.disk;
        let (Ok(now), Ok(names)) = (disk.modified(&just_written.path), disk.list(&self.drafts()))
        else {
            return;
        };
        for name in names {
            let path = self.drafts().join(name);
            let age = disk
                .modified(&path)
                .ok()
                .and_then(|then| now.duration_since(then).ok());
            if age.is_some_and(|age| age > LEFT_ALONE) {
                self.discard(&path);
            }
        }
    }

    fn remove_any(&self, path: &Path) -> Result<(), FileError> {
        match self.store.disk.unlink(path) {
            // It is a directory: Linux returns IsADirectory for it, other systems PermissionDenied.
            Err(_) => self.store.disk.remove_tree(path),
            removed => removed,
        }
    }

    /// Logs a failed removal. Leftovers take room and do no other harm.
    fn tell(&self, removed: Result<(), FileError>) {
        if let Err(error) = removed {
            tracing::debug!(%error, "cannot remove a file that is not needed any more; leaving it");
        }
    }
}
