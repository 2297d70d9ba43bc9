//! Reading a log: from an offset, the last lines, and following. [`Snapshot`] finds the last lines.

use std::collections::VecDeque;
use std::fs::File;
use std::io;

use futures::Stream;
use tokio::sync::watch;

use super::snapshot::Snapshot;
use super::{Extent, LogPiece, Segment, TaskLog};

/// Most bytes of one piece. A reader holds one or two.
pub(super) const PIECE: usize = 64 * 1024;

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
    /// What is no longer there is said in a [`LogPiece::Dropped`]. The first piece of a
    /// [`LogFrom::Tail`] is bytes if there are any, however fast the task prints: it comes from the
    /// files as they were at one moment. What follows it may be gone when it is asked for.
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
            let opened = File::open(self.path(segment));
            match opened.and_then(|file| segment.read(&file, offset, most)) {
                Ok(bytes) => return Ok(Some(LogPiece::Bytes { offset, bytes })),
                // The task printed so much meanwhile that the file was given up.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_gone(segment) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn is_gone(&self, segment: Segment) -> bool {
        let index = self.index();
        index
            .segments
            .iter()
            .all(|other| other.start != segment.start)
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
            match from {
                LogFrom::Offset(offset) => {
                    let end = self.log.end();
                    (self.offset, self.until) = (offset, (!self.is_following).then_some(end));
                }
                LogFrom::Tail(lines) => {
                    let log = self.log.clone();
                    let (end, first) = blocking(move || tail(&log, lines)).await?;
                    self.until = (!self.is_following).then_some(end);
                    self.offset = first.as_ref().map_or(end, LogPiece::end);
                    if let Some(first) = first {
                        return Ok(Some((first, self)));
                    }
                }
            }
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

/// The end of the log, and the first piece of its last lines. Blocks.
fn tail(log: &TaskLog, lines: u64) -> io::Result<(u64, Option<LogPiece>)> {
    let snapshot = Snapshot::of(log)?;
    let begin = snapshot.begin_of_lines(lines)?;
    Ok((snapshot.end(), snapshot.piece(begin, PIECE)?))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::other("the process is shutting down")),
    }
}
