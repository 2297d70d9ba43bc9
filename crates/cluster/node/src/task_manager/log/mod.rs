//! The log of a task: what it prints on stdout and stderr, in the order in which it wrote it.
//!
//! ```text
//!   task ──pipe──► pump ──► files: two of 8 MiB, the older one goes ──► readers, each at its own pace
//! ```
//!
//! Each byte that a task prints has an offset, counted from 0, that never means another byte. The
//! files hold the newest bytes, and [`LogPiece::Dropped`] tells a reader what it cannot have any
//! more. Readers read files, so a slow one holds up nobody.

mod files;
pub(super) mod frames;
mod last_lines;
mod pump;
mod reader;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

pub(super) use files::LogFiles;
pub use frames::{FRAMES, FrameDecoder, FrameError};
pub(super) use last_lines::LastLines;
pub(super) use pump::{Pump, pump};
pub use reader::{LogFrom, LogRead};
use snapshot::Snapshot;

/// The stream under which the tail of a log is in the blobs: stdout and stderr are one log.
pub const LOG_STREAM: &str = "log";

/// Size of one file of a log. Two of them hold a few ten thousand lines.
pub const LOG_FILE: u64 = 8 * 1024 * 1024;

/// Files of a log. With two, at least half of the limit is there right after a rotation.
pub const LOG_FILES: u32 = 2;

/// How much disk the log of one task may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Most bytes of one file.
    pub file: u64,
    /// Most files.
    pub files: u32,
}

/// A part of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPiece {
    /// What the task printed.
    Bytes {
        /// The offset of the first byte.
        offset: u64,
        /// The bytes; lines may be split between two pieces.
        bytes: Bytes,
    },
    /// These bytes were printed, and are not there any more: the log had reached its limit, or the
    /// disk was full.
    Dropped {
        /// The offset of the first one.
        from: u64,
        /// The offset after the last one.
        to: u64,
    },
}

/// The log of one task, for its readers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TaskLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    index: Mutex<Index>,
    /// Wakes readers.
    extent: watch::Sender<Extent>,
}

/// Where the bytes are.
#[derive(Debug, Default)]
struct Index {
    /// By offset. Between two of them, bytes may be missing.
    segments: VecDeque<Segment>,
}

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    /// The offset of its first byte, which names it.
    start: u64,
    len: u64,
}

/// How far a log goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extent {
    /// The offset of the next byte.
    end: u64,
    /// Whether no more bytes will come.
    is_closed: bool,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            file: LOG_FILE,
            files: LOG_FILES,
        }
    }
}

impl LogPiece {
    /// The offset after it: where a reader goes on.
    pub fn end(&self) -> u64 {
        match self {
            Self::Bytes { offset, bytes } => offset + bytes.len() as u64,
            Self::Dropped { to, .. } => *to,
        }
    }
}

impl TaskLog {
    /// The log whose files are in this directory. It is empty.
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            shared: Arc::new(Shared {
                dir,
                index: Mutex::default(),
                extent: watch::Sender::default(),
            }),
        }
    }

    /// The log whose files somebody else has left in this directory. It is complete. Blocks.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub(super) fn found(dir: PathBuf) -> io::Result<Self> {
        let mut segments: Vec<Segment> = std::fs::read_dir(&dir)?
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                let start = name.to_str()?.strip_suffix(".log")?.parse().ok()?;
                let len = entry.metadata().ok().filter(|file| file.is_file())?.len();
                Some(Segment { start, len })
            })
            .collect();
        segments.sort_unstable_by_key(|segment| segment.start);
        let log = Self::new(dir);
        log.advance(segments.last().map_or(0, |last| last.end()));
        log.index().segments = segments.into();
        log.close();
        Ok(log)
    }

    /// The offset of the next byte that the task prints.
    pub fn end(&self) -> u64 {
        self.shared.extent.borrow().end
    }

    /// Whether the task has ended, so that nothing will be added.
    pub fn is_closed(&self) -> bool {
        self.shared.extent.borrow().is_closed
    }

    /// The last bytes that are there, at most this many and without a gap between them, beginning
    /// with a line if a line begins there. Blocks.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub(super) fn last_bytes(&self, most: usize) -> io::Result<Vec<u8>> {
        Snapshot::of(self)?.last_bytes(most)
    }

    /// How many bytes are on the disk.
    pub(super) fn size(&self) -> u64 {
        let index = self.index();
        index.segments.iter().map(|segment| segment.len).sum()
    }

    /// Says that nothing will be added. Readers come to their end.
    pub(super) fn close(&self) {
        self.shared
            .extent
            .send_modify(|extent| extent.is_closed = true);
    }

    /// Adds to the end.
    fn advance(&self, by: u64) {
        self.shared.extent.send_modify(|extent| extent.end += by);
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        let index = self.shared.index.lock();
        index.unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, segment: Segment) -> PathBuf {
        path(&self.shared.dir, segment.start)
    }
}

impl Segment {
    fn end(self) -> u64 {
        self.start + self.len
    }

    /// Bytes from this offset on, at most this many, of its opened file. Blocks.
    fn read(self, file: &File, offset: u64, most: usize) -> io::Result<Bytes> {
        let left = usize::try_from(self.end() - offset).unwrap_or(usize::MAX);
        let mut bytes = vec![0; left.min(most)];
        file.read_exact_at(&mut bytes, offset - self.start)?;
        Ok(bytes.into())
    }
}

fn path(dir: &Path, start: u64) -> PathBuf {
    // Twenty digits hold any offset, so that the names sort as the offsets do.
    dir.join(format!("{start:020}.log"))
}
