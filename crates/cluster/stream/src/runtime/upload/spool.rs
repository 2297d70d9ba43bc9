//! [`Spool`]: files that wait until they are stored, in memory while there are few of them.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use incumbent_task::{Error as TaskError, Part};

/// How many bytes wait in memory: a file that is being stored and the next one. While blobs are out
/// or slow, more than that waits on disk, so a snapshot is not in memory a second time; and without
/// room there, the worker does not encode more.
pub(super) const MOST_IN_MEMORY: usize = 128 << 20;

/// Where files wait.
pub(super) struct Spool {
    dir: PathBuf,
    most: usize,
    in_memory: Arc<AtomicUsize>,
}

/// A file that can wait nowhere, and why not on disk.
#[derive(Debug)]
pub(super) struct Full {
    pub(super) bytes: Vec<u8>,
    pub(super) error: io::Error,
}

/// A file that waits. Its memory, or its place on the disk, is free when it is dropped.
pub(super) enum Waiting {
    InMemory {
        bytes: Vec<u8>,
        in_memory: Arc<AtomicUsize>,
    },
    /// It has no name any more, so nothing is left of it, however this process ends.
    OnDisk(File),
}

impl Spool {
    /// At most so many bytes wait in memory; what is more waits in this directory.
    pub(super) fn new(dir: PathBuf, most: usize) -> Self {
        Self {
            dir,
            most,
            in_memory: Arc::default(),
        }
    }

    /// Keeps a file until it is stored.
    ///
    /// # Errors
    ///
    /// There is no room for it, on disk as in memory: ask again later. The file is given back.
    pub(super) fn keep(&self, bytes: Vec<u8>) -> Result<Waiting, Full> {
        let waiting = self.in_memory.load(Ordering::Acquire);
        // One always has room: it may be larger than all that may wait.
        let has_room = waiting == 0 || waiting + bytes.len() <= self.most;
        if !has_room {
            match write(&self.dir, &bytes) {
                Ok(file) => return Ok(Waiting::OnDisk(file)),
                Err(error) => return Err(Full { bytes, error }),
            }
        }
        self.in_memory.fetch_add(bytes.len(), Ordering::AcqRel);
        Ok(Waiting::InMemory {
            bytes,
            in_memory: Arc::clone(&self.in_memory),
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Waiting {
    /// Stores it in a checkpoint.
    pub(super) fn put(&mut self, part: &mut Part, name: &str) -> Result<(), TaskError> {
        match self {
            Self::InMemory { bytes, .. } => part.put_bytes(name, bytes)?,
            Self::OnDisk(file) => part.put(name, &*file)?,
        };
        Ok(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Self::InMemory { bytes, in_memory } = self {
            in_memory.fetch_sub(bytes.len(), Ordering::AcqRel);
        }
    }
}

/// A file without a name that has these bytes.
fn write(dir: &Path, bytes: &[u8]) -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);

    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = dir.join(format!(".checkpoint-{}-{count}", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// What it has, and whether that was in memory.
    fn read(waiting: &mut Waiting) -> (Vec<u8>, bool) {
        match waiting {
            Waiting::InMemory { bytes, .. } => (bytes.clone(), true),
            Waiting::OnDisk(file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).unwrap();
                (bytes, false)
            }
        }
    }

    #[test]
    fn what_is_too_much_for_memory_waits_on_disk_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path().to_owned(), 10);
        // The first one has room, however large it is.
        let keep = |size, byte| spool.keep(vec![byte; size]).unwrap();
        let mut all: Vec<_> = [20, 5, 5].map(|size| keep(size, 7)).into();
        let were_in_memory = [true, false, false];
        for (waiting, (size, in_memory)) in
            all.iter_mut().zip([20, 5, 5].iter().zip(were_in_memory))
        {
            assert_eq!(read(waiting), (vec![7; *size], in_memory));
        }
        assert_eq!(spool.in_memory.load(Ordering::Acquire), 20);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        all.clear();
        let (mut one, mut other) = (keep(5, 1), keep(5, 2));
        assert!(
            read(&mut one).1 && read(&mut other).1,
            "there is room again"
        );
        assert_eq!(read(&mut keep(1, 3)), (vec![3], false));
    }

    #[test]
    fn a_disk_that_takes_nothing_makes_it_wait_for_memory_and_for_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        let spool = Spool::new(gone.clone(), 10);
        let first = spool.keep(vec![1; 10]).unwrap();
        let Err(Full { bytes, error }) = spool.keep(vec![2; 10]) else {
            panic!("there is no room");
        };
        assert_eq!(bytes, [2; 10]);
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        drop(first);
        let mut second = spool.keep(bytes).unwrap();
        assert_eq!(read(&mut second), (vec![2; 10], true));
        std::fs::create_dir(gone).unwrap();
        let mut third = spool.keep(vec![3; 10]).unwrap();
        assert_eq!(read(&mut third), (vec![3; 10], false));
    }
}
