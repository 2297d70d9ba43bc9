//! Prepares a directory so that its journal can continue. Everything is read and checked before
//! anything is changed.

use std::sync::atomic::AtomicBool;

use crate::error::OpenError;
use crate::files::{FileName, Files, OpenFile, Trouble};
use crate::format::batch::Position;
use crate::format::header::{BLOCK, Header};
use crate::format::scan::Tail;
use crate::found::{Amount, Replay, Torn};
use crate::kept::Kept;
use crate::log::{Aligned, Log};
use crate::options::Options;
use crate::reading::{Last, LogContents, Reading};
use crate::segment::{self, Segment};

/// A journal that can continue.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) journal: u128,
    pub(crate) log: Log,
    pub(crate) next: Option<Segment>,
    pub(crate) kept: Kept,
    pub(crate) torn: Option<Torn>,
    pub(crate) replayed: Amount,
}

/// Reads the directory, or begins a new journal in it.
pub(crate) fn recover(
    files: &Files,
    options: &Options,
    replay: Replay<'_>,
) -> Result<Recovery, OpenError> {
    match read(files, replay)? {
        None => begin(files, options),
        Some(read) => go_on(files, options, read),
    }
}

/// Reads the directory. Returns `None` if it has no journal.
pub(crate) fn read(files: &Files, replay: Replay<'_>) -> Result<Option<LogContents>, OpenError> {
    let (mut segments, mut snapshots) = (Vec::new(), Vec::new());
    for name in files.list()? {
        match name {
            FileName::Segment(number) => segments.push(number),
            FileName::Snapshot(index) => snapshots.push(index),
        }
    }
    // The names may not be durable yet, and the following relies on them.
    files.sync_names()?;
    if segments.is_empty() && snapshots.is_empty() {
        return Ok(None);
    }
    let mut reading = Reading::new(files, snapshots, replay);
    if segments.is_empty() {
        return Err(reading.missing("its log"));
    }
    reading.snapshot()?;
    for number in segments {
        reading.segment(number)?;
    }
    reading.finish().map(Some)
}

fn begin(files: &Files, options: &Options) -> Result<Recovery, OpenError> {
    let journal = u128::from(files.random()) << 64 | u128::from(files.random());
    let segment = segment::prepare(
        files,
        journal,
        1,
        options.segment_length(1),
        &AtomicBool::new(false),
    )?;
    Ok(Recovery {
        journal,
        log: Log {
            segment,
            offset: BLOCK as u64,
            position: Position::START,
            ended: Vec::new(),
            encoded: Default::default(),
            syncs: Default::default(),
        },
        next: None,
        kept: Kept::default(),
        torn: None,
        replayed: Amount::default(),
    })
}

fn go_on(files: &Files, options: &Options, read: LogContents) -> Result<Recovery, OpenError> {
    if let Some(last) = &read.last {
        rewrite(files, last)?;
    }
    let mut file = files.open(FileName::Segment(read.current.number))?;
    let (offset, torn) = match read.tail {
        Tail::Open { offset } | Tail::Ended { offset } => (offset, None),
        Tail::Torn { offset, until } => (offset, Some(cut(&mut file, offset, until)?)),
    };
    Ok(Recovery {
        journal: read.current.journal,
        log: Log {
            segment: Segment {
                header: read.current,
                file,
            },
            offset,
            position: read.position,
            ended: read.waiting,
            encoded: Default::default(),
            syncs: Default::default(),
        },
        next: next(files, options, read.unused)?,
        kept: Kept::new(read.snapshots, read.ended),
        torn,
        replayed: read.replayed,
    })
}

/// The last batch was read, but whether it is on the disk is unknown: its sync may have been cut
/// off, or may have failed, after which the kernel takes its memory for written. Bytes that are
/// written again are synced again.
fn rewrite(files: &Files, last: &Last) -> Result<(), Trouble> {
    let mut file = files.open(FileName::Segment(last.number))?;
    file.write_at(last.offset, &last.bytes)?;
    file.sync()
}

/// Removes a torn write. Otherwise its sectors could lie between those of the next batch, if that
/// one is torn too.
fn cut(file: &mut OpenFile, offset: u64, until: u64) -> Result<Torn, Trouble> {
    let length = until - offset;
    let mut zeros = Aligned::default();
    let zeros = zeros.take(usize::try_from(length).expect("the file was read into memory"));
    zeros.fill(0);
    file.write_at(offset, zeros)?;
    file.sync()?;
    Ok(Torn {
        file: file.path.clone(),
        offset,
        length,
    })
}

/// Opens the segment that was prepared already. If it does not have the length that is wanted now,
/// it is removed and made again.
fn next(
    files: &Files,
    options: &Options,
    unused: Option<Header>,
) -> Result<Option<Segment>, Trouble> {
    let Some(header) = unused else {
        return Ok(None);
    };
    let name = FileName::Segment(header.number);
    if header.length != options.segment_length(header.number) {
        files.remove(name)?;
        return Ok(None);
    }
    let file = files.open(name)?;
    Ok(Some(Segment { header, file }))
}
