//! [`LogFiles`]: the side that writes, with rotation and full disks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::time::Duration;

use tokio::time::Instant;

use super::{LogLimits, Segment, TaskLog};

/// After the disk has refused bytes, how long none are offered to it. A task that prints without
/// end meets a full disk thousands of times a second otherwise.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// When the disk is full and the log has one file only, that file is given up for newer bytes if it
/// has at least this many: less is not worth the exchange.
const WORTH_REPLACING: u64 = 64 * 1024;

/// More files than [`LogLimits::files`] exist only if bytes between them were refused. So many of
/// those are kept.
const MOST_INTERRUPTED: usize = 8;

/// Writes the log of one task. There is one per log. Blocks.
#[derive(Debug)]
pub(in super::super) struct LogFiles {
    log: TaskLog,
    limits: LogLimits,
    /// The file of the last segment, if it can take more.
    file: Option<File>,
    /// Whether the last byte was the end of a line.
    is_at_line_start: bool,
    retry_at: Option<Instant>,
}

/// What became of bytes.
#[derive(Debug)]
pub(in super::super) enum Kept {
    /// They are in the log.
    All,
    /// The disk did not take all of them, with this error if it was asked.
    Refused(Option<io::Error>),
}

impl LogFiles {
    /// The files of this log, which is empty.
    pub(in super::super) fn new(log: TaskLog, limits: LogLimits) -> Self {
        Self {
            log,
            limits: LogLimits {
                file: limits.file.max(1),
                files: limits.files.max(1),
            },
            file: None,
            is_at_line_start: true,
            retry_at: None,
        }
    }

    /// Adds what the task has printed, and gives up the oldest file if there is too much. What the
    /// disk does not take is counted, and its offsets are used up.
    pub(in super::super) fn append(&mut self, now: Instant, bytes: &[u8]) -> Kept {
        if self.retry_at.is_some_and(|at| now < at) {
            self.refuse(bytes.len());
            return Kept::Refused(None);
        }
        self.retry_at = None;
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.append_some(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if is_full(&error) && self.give_up_oldest() => {}
                Err(error) => {
                    self.retry_at = Some(now + RETRY_AFTER);
                    self.refuse(rest.len());
                    return Kept::Refused(Some(error));
                }
            }
        }
        Kept::All
    }

    /// Writes as much as belongs into the present file, and begins the next one if that is nothing.
    /// Returns how much was written.
    fn append_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.present().map_or(0, |segment| segment.len);
        let room = match self.file {
            Some(_) => self.limits.file.saturating_sub(len),
            None => 0,
        };
        // In an empty file there is nothing to be gained by beginning another.
        let part = part_for(bytes, room, self.is_at_line_start && len > 0);
        let Some(file) = self.file.as_mut().filter(|_| part > 0) else {
            self.rotate()?;
            return Ok(0);
        };
        if let Err(error) = file.write_all(&bytes[..part]) {
            // A part may have been written, whose offsets are given to nobody.
            let undone = file
                .set_len(len)
                .and_then(|()| file.seek(SeekFrom::Start(len)));
            if undone.is_err() {
                self.file = None;
            }
            return Err(error);
        }
        self.is_at_line_start = bytes[part - 1] == b'\n';
        if let Some(last) = self.log.index().segments.back_mut() {
            last.len += part as u64;
        }
        self.log.advance(part as u64);
        Ok(part)
    }

    /// The segment of the open file.
    fn present(&self) -> Option<Segment> {
        self.file.as_ref()?;
        self.log.index().segments.back().copied()
    }

    /// Begins a file at the end of the log.
    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        self.make_room();
        let segment = Segment {
            start: self.log.end(),
            len: 0,
        };
        let path = self.log.path(segment);
        let mut options = OpenOptions::new();
        // A file of this name is there only if nothing could be written to it.
        let file = options.write(true).create(true).truncate(true).open(path)?;
        let segments = &mut self.log.index().segments;
        if segments
            .back()
            .is_none_or(|last| last.start != segment.start)
        {
            segments.push_back(segment);
        }
        self.file = Some(file);
        Ok(())
    }

    /// Removes the oldest files, so that one more of the full size stays within the limits.
    fn make_room(&mut self) {
        let files = self.limits.files as usize;
        let others = self
            .limits
            .file
            .saturating_mul(u64::from(self.limits.files) - 1);
        loop {
            let count = self.log.index().segments.len();
            let is_within = self.log.size() <= others && count < files + MOST_INTERRUPTED;
            if is_within || !self.remove_oldest() {
                return;
            }
        }
    }

    /// On a full disk: removes the oldest file for the sake of newer bytes. `false`: nothing that
    /// is worth it.
    fn give_up_oldest(&mut self) -> bool {
        let (count, first) = {
            let index = self.log.index();
            (index.segments.len(), index.segments.front().copied())
        };
        match first {
            Some(_) if count > 1 => self.remove_oldest(),
            Some(only) if only.len >= WORTH_REPLACING => {
                self.file = None;
                self.remove_oldest()
            }
            Some(_) | None => false,
        }
    }

    fn remove_oldest(&mut self) -> bool {
        let Some(oldest) = self.log.index().segments.pop_front() else {
            return false;
        };
        // Readers look into the index first, so they learn that it is gone.
        let _ = fs::remove_file(self.log.path(oldest));
        true
    }

    fn refuse(&mut self, bytes: usize) {
        // What comes next begins in a file of its own, since offsets within a file have no gaps.
        self.file = None;
        let mut index = self.log.index();
        if let Some(empty) = index.segments.pop_back_if(|last| last.len == 0) {
            let _ = fs::remove_file(self.log.path(empty));
        }
        drop(index);
        self.log.advance(bytes as u64);
        self.is_at_line_start = false;
    }
}

/// How many of these bytes go into a file with this much room: lines are kept whole if they can be.
/// `may_wait`: the first line may as well begin in the next file.
fn part_for(bytes: &[u8], room: u64, may_wait: bool) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if bytes.len() <= room {
        return bytes.len();
    }
    match bytes[..room].iter().rposition(|&byte| byte == b'\n') {
        Some(newline) => newline + 1,
        None if may_wait => 0,
        None => room,
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
