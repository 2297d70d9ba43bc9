//! A file of the log.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::files::{FileName, Files, OpenFile, Trouble};
use crate::format::header::{BLOCK, FileKind, Header};

/// How much is written and synced at once while a segment is prepared: a commit in between waits
/// for one piece and not for all.
const PIECE: usize = 1 << 20;

/// A file of the log: its header, batches, and zeros.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    pub(crate) file: OpenFile,
}

/// Makes a segment. It is written with zeros before it gets its name, so that a later sync of a
/// batch has no change of the file's length or extents to write.
///
/// Ends early, with an error, when `stop` is set.
pub(crate) fn prepare(
    files: &Files,
    journal: u128,
    number: u64,
    length: u64,
    stop: &AtomicBool,
) -> Result<Segment, Trouble> {
    let header = Header {
        kind: FileKind::Segment,
        journal,
        number,
        salt: files.random(),
        length,
    };
    let name = FileName::Segment(number);
    let written = write(files, &header, stop);
    if written.is_err() {
        // It may take the room that is missing.
        files.discard(name);
    }
    written?;
    files.finish(name)?;
    let file = files.open(name)?;
    Ok(Segment { header, file })
}

fn write(files: &Files, header: &Header, stop: &AtomicBool) -> Result<(), Trouble> {
    let mut file = files.draft(FileName::Segment(header.number))?;
    file.reserve(header.length)?;
    file.write_at(0, &header.encode())?;
    let zeros = vec![0; PIECE];
    let mut offset = BLOCK as u64;
    while offset < header.length {
        if stop.load(Ordering::Relaxed) {
            return file.told("prepare", Err(std::io::Error::other("closed")));
        }
        let length = (header.length - offset).min(PIECE as u64);
        let piece = usize::try_from(length).expect("a piece is a megabyte");
        file.write_at(offset, &zeros[..piece])?;
        file.sync()?;
        offset += length;
    }
    file.sync()
}
