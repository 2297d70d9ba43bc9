//! The files of a journal by their names, and errors that say which one it was.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::error::{Failure, OpenError, SnapshotError};
use crate::lock;

/// The ending of unfinished files. After a crash they are removed.
const DRAFT: &str = ".draft";

/// What a directory may hold before a journal is begun in it: entries of the file system itself,
/// and the address that a server leaves beside its journal (`embedded:`).
const HARMLESS: [&str; 4] = ["lost+found", ".snapshot", "address", "address.new"];

/// What ZooKeeper keeps in its data directory.
const OF_ZOOKEEPER: [&str; 2] = ["version-2", "myid"];

/// A file of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileName {
    /// By its number, from 1.
    Segment(u64),
    /// By its index.
    Snapshot(u64),
}

impl FileName {
    fn of(text: &str) -> Option<Self> {
        let number = |hex: &str| {
            let number = u64::from_str_radix(hex, 16).ok()?;
            (hex.len() == 16).then_some(number)
        };
        let (kind, hex) = text.split_once('-')?;
        let name = match kind {
            "log" => Self::Segment(number(hex)?),
            "snapshot" => Self::Snapshot(number(hex)?),
            _ => return None,
        };
        (name.text() == text).then_some(name)
    }

    pub(crate) fn text(self) -> String {
        match self {
            Self::Segment(number) => format!("log-{number:016x}"),
            Self::Snapshot(index) => format!("snapshot-{index:016x}"),
        }
    }
}

/// An error of the operating system.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) doing: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

impl From<Trouble> for OpenError {
    fn from(
        Trouble {
            doing,
            path,
            source,
        }: Trouble,
    ) -> Self {
        Self::Io {
            doing,
            path,
            source,
        }
    }
}

impl From<Trouble> for SnapshotError {
    fn from(
        Trouble {
            doing,
            path,
            source,
        }: Trouble,
    ) -> Self {
        Self::Io {
            doing,
            path,
            source,
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble.doing, &trouble.path, trouble.source)
    }
}

type DiskResult<T> = Result<T, Trouble>;

/// The directory.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    disk: Arc<dyn Disk>,
    dir: Arc<Path>,
}

impl Files {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self {
            disk,
            dir: dir.into(),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn path(&self, name: FileName) -> PathBuf {
        self.dir.join(name.text())
    }

    pub(crate) fn random(&self) -> u64 {
        self.disk.random()
    }

    /// All files of a journal, in order. Removes those that a crash left unfinished.
    pub(crate) fn list(&self) -> DiskResult<Vec<FileName>> {
        let names = self.told("list", &self.dir, self.disk.list())?;
        let mut found = Vec::new();
        for text in names {
            if let Some(name) = FileName::of(&text) {
                found.push(name);
            } else if text
                .strip_suffix(DRAFT)
                .is_some_and(|text| FileName::of(text).is_some())
            {
                self.told("remove", &self.dir.join(&text), self.disk.remove(&text))?;
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Refuses a directory without a journal that holds something else: beginning a journal there
    /// would look as if what it holds was empty. Changes nothing.
    pub(crate) fn refuse_foreign(&self) -> Result<(), OpenError> {
        let mut names = self.told("list", &self.dir, self.disk.list())?;
        let is_ours = |text: &str| FileName::of(text.strip_suffix(DRAFT).unwrap_or(text)).is_some();
        if names.iter().any(|text| FileName::of(text).is_some()) {
            return Ok(());
        }
        names.retain(|text| {
            !is_ours(text) && text != lock::NAME && !HARMLESS.contains(&text.as_str())
        });
        // The name that says most, and always the same one.
        names.sort_unstable_by_key(|name| (!OF_ZOOKEEPER.contains(&name.as_str()), name.clone()));
        let Some(name) = names.into_iter().next() else {
            return Ok(());
        };
        let (what, advice) = if OF_ZOOKEEPER.contains(&name.as_str()) {
            (
                "belongs to ZooKeeper",
                "its files cannot be read: use another directory, and copy the nodes through the protocol",
            )
        } else {
            ("does not belong to this program", "use an empty directory")
        };
        Err(OpenError::Foreign {
            dir: self.dir.to_path_buf(),
            name,
            what,
            advice,
        })
    }

    pub(crate) fn read(&self, name: FileName) -> DiskResult<Vec<u8>> {
        self.told("read", &self.path(name), self.disk.read(&name.text()))
    }

    pub(crate) fn open(&self, name: FileName) -> DiskResult<OpenFile> {
        let path = self.path(name);
        let file = self.told("open", &path, self.disk.open(&name.text()))?;
        Ok(OpenFile { file, path })
    }

    /// Creates a draft of this file.
    pub(crate) fn draft(&self, name: FileName) -> DiskResult<OpenFile> {
        let text = name.text() + DRAFT;
        let path = self.dir.join(&text);
        let file = self.told("create", &path, self.disk.create(&text))?;
        Ok(OpenFile { file, path })
    }

    /// Gives a synced draft its name. The name survives a loss of power.
    pub(crate) fn finish(&self, name: FileName) -> DiskResult<()> {
        let text = name.text();
        let renamed = self.disk.rename(&(text.clone() + DRAFT), &text);
        self.told("create", &self.path(name), renamed)?;
        self.sync_names()
    }

    /// Removes a draft that could not be finished. If that fails too, the next start removes it.
    pub(crate) fn discard(&self, name: FileName) {
        let _ = self.disk.remove(&(name.text() + DRAFT));
    }

    /// Removes a file durably before this returns, since files must go in order.
    pub(crate) fn remove(&self, name: FileName) -> DiskResult<()> {
        self.told("remove", &self.path(name), self.disk.remove(&name.text()))?;
        self.sync_names()
    }

    pub(crate) fn sync_names(&self) -> DiskResult<()> {
        self.told("sync", &self.dir, self.disk.sync_names())
    }

    fn told<T>(&self, doing: &'static str, path: &Path, told: io::Result<T>) -> DiskResult<T> {
        told.map_err(|source| Trouble {
            doing,
            path: path.to_owned(),
            source,
        })
    }
}

/// A file that is open for writing.
#[derive(Debug)]
pub(crate) struct OpenFile {
    file: Box<dyn DiskFile>,
    pub(crate) path: PathBuf,
}

impl OpenFile {
    pub(crate) fn reserve(&mut self, length: u64) -> DiskResult<()> {
        let told = self.file.reserve(length);
        self.told("reserve room for", told)
    }

    pub(crate) fn write_at(&mut self, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        let told = self.file.write_at(offset, bytes);
        self.told("write", told)
    }

    pub(crate) fn sync(&mut self) -> DiskResult<()> {
        let told = self.file.sync();
        self.told("sync", told)
    }

    pub(crate) fn told<T>(&self, doing: &'static str, told: io::Result<T>) -> DiskResult<T> {
        told.map_err(|source| Trouble {
            doing,
            path: self.path.clone(),
            source,
        })
    }
}
