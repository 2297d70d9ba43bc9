//! What our own processes left behind when they were killed, or the network failed.

use std::fs;
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use object_store::path::Path;
use tokio::task::spawn_blocking;

use crate::blobs::Blobs;
use crate::error::Error;
use crate::listing::Verdict;
use crate::names;
use crate::page::Entry;
use crate::tidy::MOST_DELETED;

/// How old a leftover has to be, in seconds: a day. No upload takes that long, and if one does, its
/// sender is told that it failed.
pub const LEFTOVER_AGE: u64 = 24 * 60 * 60;

/// Most entries of directories that one sweep looks at, so that it ends on whatever disk.
const MOST_LOOKED_AT: usize = 1_000_000;

/// What a sweep deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// How many files.
    pub deleted: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether there may be more.
    pub more: bool,
}

impl Blobs {
    /// Deletes what unfinished work has left: uploads and files of checks that never got their
    /// final name, and the files that an upload to a directory is written into. Only files whose
    /// names are ours, and that are older than [`LEFTOVER_AGE`] by the clock of the store: they are
    /// compared with a file that is written for that now, and no other clock is asked.
    ///
    /// The parts of an unfinished upload to S3 are not files: a rule of the bucket should abort
    /// them (`AbortIncompleteMultipartUpload`).
    ///
    /// # Errors
    ///
    /// - [`Error::NotOurs`]: the blobs belong to another cluster, or [`Blobs::belongs_to`] was not
    ///   called. Nothing was deleted.
    /// - [`Error::Denied`], [`Error::Full`], [`Error::Unavailable`]: as [`Blobs::check`]; some may
    ///   be deleted.
    pub async fn sweep(&self) -> Result<Leftovers, Error> {
        self.sweep_older_than(LEFTOVER_AGE).await
    }

    /// As [`Blobs::sweep`], with another age in seconds.
    ///
    /// # Errors
    ///
    /// As [`Blobs::sweep`].
    pub async fn sweep_older_than(&self, age: u64) -> Result<Leftovers, Error> {
        self.still_ours().await?;
        let doing = "sweeping leftovers";
        let own = names::check();
        self.store
            .create(doing, own.clone(), Bytes::from_static(b"now\n"))
            .await?;
        let swept = self.sweep_before(doing, &own, age).await;
        // The first failure is the one to report.
        let deleted = self.store.delete(doing, own).await;
        let swept = swept?;
        deleted.map(|_| swept)
    }

    async fn sweep_before(&self, doing: &str, own: &Path, age: u64) -> Result<Leftovers, Error> {
        let top = self.store.level(doing, Path::default()).await?.files;
        let Some(now) = top.iter().find(|file| file.path == *own) else {
            // Somebody else has swept it.
            return Ok(Leftovers::default());
        };
        let last = now.last_modified - i64::try_from(age).unwrap_or(i64::MAX);
        let is_old = |file: &Entry| file.last_modified < last;
        let checks = top
            .iter()
            .filter(|file| names::is_check(&file.name) && is_old(file));
        let mut found: Vec<(Path, u64)> =
            checks.map(|file| (file.path.clone(), file.size)).collect();
        let is_upload = |name: &str| match names::is_random(name) {
            true => Verdict::Take,
            false => Verdict::Unknown,
        };
        let uploads = self
            .store
            .sift(doing, names::uploads(), MOST_DELETED, is_upload)
            .await?;
        let old = uploads.taken.iter().filter(|file| is_old(file));
        found.extend(old.map(|file| (file.path.clone(), file.size)));

        let mut swept = Leftovers {
            deleted: found.len() as u64,
            bytes: found.iter().map(|(_, size)| size).sum(),
            more: uploads.more,
        };
        let paths = found.into_iter().map(|(path, _)| path).collect();
        self.store.delete_all(doing, paths).await?;
        if let Some(dir) = self.store.dir() {
            let dir = dir.to_owned();
            let sweeping = async move {
                let swept = spawn_blocking(move || Staged::sweep(&dir, last));
                Ok(swept.await?)
            };
            let staged = self.store.run(doing, sweeping).await?;
            let staged = staged.map_err(|error| Error::of_io(self.url(), doing, error))?;
            swept.deleted += staged.swept.deleted;
            swept.bytes += staged.swept.bytes;
            swept.more |= staged.looked_at > MOST_LOOKED_AT;
        }
        Ok(swept)
    }
}

/// A walk through a directory, for the files `…#N` that the library writes an upload into before it
/// gets its name. No listing of the library shows them.
#[derive(Default)]
struct Staged {
    looked_at: usize,
    swept: Leftovers,
}

impl Staged {
    /// Blocks.
    fn sweep(dir: &FilePath, last: i64) -> io::Result<Self> {
        let mut walk = Self::default();
        let mut dirs: Vec<(PathBuf, String)> = vec![(dir.to_owned(), String::new())];
        while let Some((dir, name)) = dirs.pop() {
            let entries = match fs::read_dir(&dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                walk.looked_at += 1;
                if walk.looked_at > MOST_LOOKED_AT {
                    return Ok(walk);
                }
                let entry = entry?;
                let Ok(file_name) = entry.file_name().into_string() else {
                    continue;
                };
                let below = match name.as_str() {
                    "" => file_name,
                    name => format!("{name}/{file_name}"),
                };
                // Links are not followed: we make none.
                let kind = entry.file_type()?;
                if kind.is_dir() && names::may_hold_ours(&below) {
                    dirs.push((entry.path(), below));
                } else if kind.is_file() && names::is_staged(&below) {
                    walk.sweep_file(&entry, last)?;
                }
            }
        }
        Ok(walk)
    }

    fn sweep_file(&mut self, entry: &fs::DirEntry, last: i64) -> io::Result<()> {
        let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let found = match entry.metadata() {
            Err(error) if gone(&error) => return Ok(()),
            found => found?,
        };
        let modified = found.modified()?.duration_since(UNIX_EPOCH);
        let modified = modified.map_or(0, |since| since.as_secs());
        if i64::try_from(modified).unwrap_or(i64::MAX) >= last {
            return Ok(());
        }
        match fs::remove_file(entry.path()) {
            Err(error) if gone(&error) => return Ok(()),
            removed => removed?,
        }
        self.swept.deleted += 1;
        self.swept.bytes += found.len();
        Ok(())
    }
}
