//! Reading a log: from an offset, the last lines, and following.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use futures::Stream;
use tokio::sync::watch;

use super::{Extent, LogPiece, Segment, TaskLog};

/// Most bytes of one piece. A reader holds one or two.
const PIECE: usize = 64 * 1024;

/// Most lines that are looked for from the end. More are the whole log as well.
const MOST_TAIL: u64 = 1_000_000;

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFrom {
    /// At this offset.
    Offset(u64),
    /// At the last this many lines.
    Tail(u64),
}

/// What a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRead {
    /// Where it begins.
    pub from: LogFrom,
    /// Whether it waits for more until the task has ended.
    pub is_following: bool,
}

impl TaskLog {
    /// The log as a stream. Without following it ends where the log ended when the first piece was
    /// asked for: a task that prints faster than this is read would have no end. With following it
    /// ends when the task has ended and everything was delivered.
    ///
    /// What is no longer there is said in a [`LogPiece::Dropped`], except before the first piece of
    /// a [`LogFrom::Tail`].
    ///
    /// # Errors
    ///
    /// The last item may be an error of the disk.
    pub fn read(&self, read: LogRead) -> impl Stream<Item = io::Result<LogPiece>> + Send + use<> {
        let reader = Reader {
            log: self.clone(),
            extent: self.shared.extent.subscribe(),
            from: Some(read.from),
            offset: 0,
            until: None,
            is_following: read.is_following,
        };
        futures::stream::try_unfold(reader, Reader::next)
    }

    /// The last bytes, at most this many, beginning with a line if a line begins there. Blocks.
    pub(in super::super) fn last_bytes(&self, most: usize) -> io::Result<Vec<u8>> {
        let end = self.end();
        let from = end.saturating_sub(most as u64);
        let mut bytes = Vec::new();
        let mut offset = from;
        while let Some(piece) = self.piece(offset, PIECE)? {
            match &piece {
                LogPiece::Bytes { bytes: more, .. } => bytes.extend_from_slice(more),
                // Only what is after the gap is the end of the log.
                LogPiece::Dropped { .. } => bytes.clear(),
            }
            offset = piece.end();
        }
        let is_cut = from > 0 && bytes.len() as u64 == offset - from;
        let newline = bytes.iter().position(|&byte| byte == b'\n');
        match newline {
            Some(newline) if is_cut && newline + 1 < bytes.len() => {
                Ok(bytes.split_off(newline + 1))
            }
            Some(_) | None => Ok(bytes),
        }
    }

    /// What is at this offset. `None`: nothing yet, and all before it was delivered. Blocks.
    fn piece(&self, offset: u64, most: usize) -> io::Result<Option<LogPiece>> {
        loop {
            let end = self.end();
            let found = {
                let index = self.index();
                find(&index.segments, offset)
            };
            let Some(segment) = found else {
                return Ok((offset < end).then_some(LogPiece::Dropped {
                    from: offset,
                    to: end,
                }));
            };
            if segment.start > offset {
                return Ok(Some(LogPiece::Dropped {
                    from: offset,
                    to: segment.start,
                }));
            }
            match self.read_segment(segment, offset, most) {
                Ok(bytes) => return Ok(Some(LogPiece::Bytes { offset, bytes })),
                // The task printed so much meanwhile that the file was given up.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_gone(segment) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn read_segment(&self, segment: Segment, offset: u64, most: usize) -> io::Result<Bytes> {
        let left = usize::try_from(segment.end() - offset).unwrap_or(usize::MAX);
        let mut bytes = vec![0; left.min(most)];
        let file = File::open(self.path(segment))?;
        file.read_exact_at(&mut bytes, offset - segment.start)?;
        Ok(bytes.into())
    }

    fn is_gone(&self, segment: Segment) -> bool {
        let index = self.index();
        index
            .segments
            .iter()
            .all(|other| other.start != segment.start)
    }

    /// Where the last `lines` lines before `end` begin. A line that is not complete counts. Blocks.
    fn offset_of_tail(&self, lines: u64, end: u64) -> io::Result<u64> {
        let mut wanted = lines.min(MOST_TAIL);
        if wanted == 0 {
            return Ok(end);
        }
        let segments: Vec<Segment> = self.index().segments.iter().copied().collect();
        let mut begin = end;
        for segment in segments.into_iter().rev() {
            let mut before = segment.end().min(end);
            while before > segment.start {
                let from = segment.start.max(before.saturating_sub(PIECE as u64));
                let length = usize::try_from(before - from).expect("at most a piece");
                let bytes = match self.read_segment(segment, from, length) {
                    Ok(bytes) => bytes,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(begin),
                    Err(error) => return Err(error),
                };
                for (at, _) in bytes
                    .iter()
                    .enumerate()
                    .rev()
                    .filter(|(_, byte)| **byte == b'\n')
                {
                    let next = from + at as u64 + 1;
                    // The newline at the very end closes the last line, and begins none.
                    if next == end {
                        continue;
                    }
                    wanted -= 1;
                    if wanted == 0 {
                        return Ok(next);
                    }
                }
                before = from;
                begin = from;
            }
        }
        Ok(begin)
    }
}

/// The segment with the byte at `offset`, or else the first one after it.
fn find(segments: &VecDeque<Segment>, offset: u64) -> Option<Segment> {
    segments
        .iter()
        .find(|segment| segment.end() > offset)
        .copied()
}

struct Reader {
    log: TaskLog,
    extent: watch::Receiver<Extent>,
    /// Until it has begun.
    from: Option<LogFrom>,
    offset: u64,
    /// Where it ends if it does not follow, once it has begun.
    until: Option<u64>,
    is_following: bool,
}

impl Reader {
    async fn next(mut self) -> io::Result<Option<(LogPiece, Self)>> {
        if let Some(from) = self.from.take() {
            let end = self.extent.borrow_and_update().end;
            self.until = (!self.is_following).then_some(end);
            self.offset = match from {
                LogFrom::Offset(offset) => offset,
                LogFrom::Tail(lines) => {
                    let log = self.log.clone();
                    blocking(move || log.offset_of_tail(lines, end)).await?
                }
            };
        }
        loop {
            // Looked at before the files: what is added meanwhile is news then.
            let extent = *self.extent.borrow_and_update();
            let end = self.until.unwrap_or(extent.end);
            if self.offset < end {
                let (log, offset) = (self.log.clone(), self.offset);
                let most = usize::try_from(end - offset).unwrap_or(usize::MAX);
                if let Some(piece) = blocking(move || log.piece(offset, most.min(PIECE))).await? {
                    self.offset = piece.end();
                    return Ok(Some((piece, self)));
                }
            } else if extent.is_closed || !self.is_following || self.extent.changed().await.is_err()
            {
                return Ok(None);
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::other("the process is shutting down")),
    }
}
