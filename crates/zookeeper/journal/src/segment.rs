//! A file of the log that is written to.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::files::{Files, Name, OpenFile, Trouble};
use crate::format::header::{BLOCK, Header, Kind};

/// How much is written and synced at once while a segment is prepared, so that what is committed
/// meanwhile does not wait behind all of it.
const PIECE: usize = 1 << 20;

/// A file of the log, with its header, and zeros where nothing was written.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    pub(crate) file: OpenFile,
}

/// Makes a segment. It is written with zeros before it gets its name: a sync of what is written
/// into it later has no changes of the file's own to write, neither of its length nor of where it
/// lies.
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
        kind: Kind::Segment,
        journal,
        number,
        salt: files.random(),
        length,
    };
    let name = Name::Segment(number);
    let written = write(files, &header, stop);
    if written.is_err() {
        // Its room may be what is missing.
        files.discard(name);
    }
    written?;
    files.finish(name)?;
    let file = files.open(name)?;
    Ok(Segment { header, file })
}

fn write(files: &Files, header: &Header, stop: &AtomicBool) -> Result<(), Trouble> {
    let mut file = files.draft(Name::Segment(header.number))?;
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
