//! [`Snapshot`]: a log at one moment, whose end can be looked for while the task goes on printing.

use std::fs::File;
use std::io;

use super::reader::PIECE;
use super::{LogPiece, Segment, TaskLog};

/// Most lines that are looked for from the end. More are the whole log as well.
const MOST_LINES: u64 = 1_000_000;

/// The files of a log, opened at one moment. What the task prints later changes nothing in it: a
/// file that the log has given up can be read as long as it is open.
///
/// It keeps the disk from being freed, so it must not wait for a reader.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The offset after the last byte that was printed. It may have been refused by the disk.
    end: u64,
    /// By offset, and none of them empty. Between two of them, bytes may be missing.
    parts: Vec<(Segment, File)>,
}

impl Snapshot {
    /// The log as it is now. Blocks.
    pub(super) fn of(log: &TaskLog) -> io::Result<Self> {
        // Locked while the files are opened: a task that prints as fast as it can would have
        // removed them otherwise, the newest ones too. They are few.
        let index = log.index();
        let end = log.end();
        let mut parts = Vec::with_capacity(index.segments.len());
        for &segment in &index.segments {
            let len = segment.end().min(end).saturating_sub(segment.start);
            if len > 0 {
                let file = File::open(log.path(segment))?;
                parts.push((Segment { len, ..segment }, file));
            }
        }
        Ok(Self { end, parts })
    }

    /// The end of the log.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Where the last lines begin, so many of them, or fewer if there are not so many. A line that
    /// is not complete counts. If a line is asked for and there is a byte, there is a byte.
    pub(super) fn begin_of_lines(&self, lines: u64) -> io::Result<u64> {
        let mut wanted = lines.min(MOST_LINES);
        let mut begin = self.end;
        if wanted == 0 {
            return Ok(begin);
        }
        let last = self.parts.last().map_or(0, |(segment, _)| segment.end());
        for (segment, file) in self.parts.iter().rev() {
            // Where what follows this file begins: there may be a gap before it.
            let next_part = begin;
            let mut before = segment.end();
            while before > segment.start {
                let from = segment.start.max(before.saturating_sub(PIECE as u64));
                let length = usize::try_from(before - from).expect("at most a piece");
                let bytes = segment.read(file, from, length)?;
                for at in (0..bytes.len()).rev().filter(|&at| bytes[at] == b'\n') {
                    let next = from + at as u64 + 1;
                    // The newline at the very end closes the last line, and begins none.
                    if next == last {
                        continue;
                    }
                    wanted -= 1;
                    if wanted == 0 {
                        let is_in_file = next < segment.end();
                        return Ok(if is_in_file { next } else { next_part });
                    }
                }
                before = from;
            }
            begin = segment.start;
        }
        Ok(begin)
    }

    /// The bytes at this offset, at most this many. `None`: there are none.
    pub(super) fn piece(&self, offset: u64, most: usize) -> io::Result<Option<LogPiece>> {
        let has = |segment: &Segment| segment.start <= offset && offset < segment.end();
        let found = self.parts.iter().find(|(segment, _)| has(segment));
        found
            .map(|(segment, file)| {
                let bytes = segment.read(file, offset, most)?;
                Ok(LogPiece::Bytes { offset, bytes })
            })
            .transpose()
    }

    /// What [`TaskLog::last_bytes`] returns.
    pub(super) fn last_bytes(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        let mut room = most;
        let mut begin = self.parts.last().map_or(0, |(segment, _)| segment.end());
        for (segment, file) in self.parts.iter().rev() {
            // Only what is after the last gap is the end of the log.
            if room == 0 || segment.end() != begin {
                break;
            }
            let from = segment.start.max(segment.end().saturating_sub(room as u64));
            let bytes = segment.read(file, from, room)?;
            room -= bytes.len();
            begin = from;
            parts.push(bytes.into());
        }
        parts.reverse();
        let mut bytes = parts.concat();
        // A file begins with a line if one fits into it, so only what was cut here may not.
        let is_cut = room == 0 && begin > 0;
        let newline = bytes.iter().position(|&byte| byte == b'\n');
        match newline {
            Some(newline) if is_cut && newline + 1 < bytes.len() => {
                Ok(bytes.split_off(newline + 1))
            }
            Some(_) | None => Ok(bytes),
        }
    }
}
