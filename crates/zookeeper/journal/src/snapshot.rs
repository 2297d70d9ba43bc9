//! Writes a snapshot as a draft, which gets its name when it is complete and durable.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::files::{FileName, Files, OpenFile, Trouble};
use crate::format::chunks::{CHUNK, Chunks};
use crate::format::header::{FileKind, Header};

/// How much is written before it is synced: a commit in between waits for one piece and not for
/// all.
const PIECE: usize = 8 * CHUNK;

/// Writes what `write` writes. Ends early, with an error, when `stop` is set.
pub(crate) fn write(
    files: &Files,
    journal: u128,
    index: u64,
    stop: &AtomicBool,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<u64, Trouble> {
    let header = Header {
        kind: FileKind::Snapshot,
        journal,
        number: index,
        salt: files.random(),
        length: 0,
    };
    let name = FileName::Snapshot(index);
    let written = draft(files, &header, stop, write);
    if written.is_err() {
        files.discard(name);
    }
    let length = written?;
    files.finish(name)?;
    Ok(length)
}

fn draft(
    files: &Files,
    header: &Header,
    stop: &AtomicBool,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<u64, Trouble> {
    let mut draft = Draft {
        file: files.draft(FileName::Snapshot(header.number))?,
        chunks: Some(Chunks::new(header.salt)),
        gathered: Vec::with_capacity(CHUNK),
        encoded: header.encode(),
        offset: 0,
        stop,
        trouble: None,
    };
    let told = write(&mut draft);
    if let Some(trouble) = draft.trouble.take() {
        return Err(trouble);
    }
    draft.file.told("write what the caller gives into", told)?;
    draft.end()
}

/// The writer that the caller gets.
struct Draft<'a> {
    file: OpenFile,
    chunks: Option<Chunks>,
    /// Less than a chunk.
    gathered: Vec<u8>,
    /// Chunks to be written at `offset`.
    encoded: Vec<u8>,
    offset: u64,
    stop: &'a AtomicBool,
    /// The first error, in case the caller does not pass it on unchanged.
    trouble: Option<Trouble>,
}

impl Draft<'_> {
    fn chunk(&mut self) {
        if let Some(chunks) = &mut self.chunks {
            chunks.chunk(&self.gathered, &mut self.encoded);
        }
        self.gathered.clear();
    }

    fn put(&mut self) -> Result<(), Trouble> {
        if self.stop.load(Ordering::Relaxed) {
            self.file.told("write", Err(io::Error::other("closed")))?;
        }
        self.file.write_at(self.offset, &self.encoded)?;
        self.offset += self.encoded.len() as u64;
        self.encoded.clear();
        self.file.sync()
    }

    fn end(mut self) -> Result<u64, Trouble> {
        self.chunk();
        if let Some(chunks) = self.chunks.take() {
            chunks.end(&mut self.encoded);
        }
        self.put()?;
        Ok(self.offset)
    }
}

impl Write for Draft<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(CHUNK - self.gathered.len());
        self.gathered.extend(&bytes[..length]);
        if self.gathered.len() == CHUNK {
            self.chunk();
        }
        if self.encoded.len() >= PIECE
            && self.trouble.is_none()
            && let Err(trouble) = self.put()
        {
            let kind = trouble.source.kind();
            self.trouble = Some(trouble);
            return Err(kind.into());
        }
        if self.trouble.is_some() {
            return Err(io::Error::other("an earlier write failed"));
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
