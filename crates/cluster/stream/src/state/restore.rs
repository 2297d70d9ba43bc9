//! [`RestoredBlocks`]: the blocks of a checkpoint that a rank needs, read one by one.

use std::collections::VecDeque;
use std::io::Read;
use std::ops::Range;

use incumbent_state::{Block, BlockReader, Error as FileError, StateFile};
use incumbent_task::Error as TaskError;

use crate::{Error, Result};

/// How often a file that breaks off is opened again.
const TRIES: u32 = 5;

/// The blocks of a checkpoint that belong to this rank, out of the files of all ranks that made it.
///
/// One block at a time is in memory. Files without keys of this rank are not opened. A connection
/// that breaks in the middle of a file is made again, and the blocks that were given are skipped.
pub(crate) struct RestoredBlocks<O, R> {
    open: O,
    owned: Range<u32>,
    files: VecDeque<(u32, StateFile)>,
    reading: Option<Reading<R>>,
}

struct Reading<R> {
    blocks: BlockReader<R>,
    /// How many blocks of this file have been given.
    given: u64,
    tries: u32,
}

impl<O: FnMut(u32, &str) -> Result<R>, R: Read> RestoredBlocks<O, R> {
    /// `files` are those that the `meta.json` of each rank lists; `open` opens one of a rank.
    pub(crate) fn new(
        files: impl IntoIterator<Item = (u32, StateFile)>,
        owned: Range<u32>,
        open: O,
    ) -> Self {
        let files = files.into_iter();
        let files = files.filter(|(_, file)| file.overlaps(&owned)).collect();
        Self {
            open,
            owned,
            files,
            reading: None,
        }
    }

    fn next_block(&mut self) -> Result<Option<Block>> {
        loop {
            let Some((rank, file)) = self.files.front() else {
                return Ok(None);
            };
            let mut reading = match self.reading.take() {
                Some(reading) => reading,
                None => {
                    let from = (self.open)(*rank, &file.name)?;
                    let begun = BlockReader::new(from, self.owned.clone());
                    Reading {
                        blocks: begun.map_err(|error| not_restored(*rank, &file.name, &error))?,
                        given: 0,
                        tries: 0,
                    }
                }
            };
            match reading.blocks.next_block() {
                Ok(Some(block)) => {
                    reading.given += 1;
                    self.reading = Some(reading);
                    return Ok(Some(block));
                }
                Ok(None) => drop(self.files.pop_front()),
                Err(FileError::Io(_)) if reading.tries < TRIES => {
                    let from = (self.open)(*rank, &file.name)?;
                    let again = skip(from, self.owned.clone(), reading.given);
                    reading.tries += 1;
                    match again {
                        Ok(blocks) => reading.blocks = blocks,
                        // The old reader gives its error again, which counts as one more try.
                        Err(FileError::Io(_)) => {}
                        Err(error) => return Err(not_restored(*rank, &file.name, &error)),
                    }
                    self.reading = Some(reading);
                }
                Err(error) => return Err(not_restored(*rank, &file.name, &error)),
            }
        }
    }
}

/// A reader that has given so many blocks.
fn skip<R: Read>(from: R, owned: Range<u32>, given: u64) -> Result<BlockReader<R>, FileError> {
    let mut blocks = BlockReader::new(from, owned)?;
    for _ in 0..given {
        blocks.next_block()?;
    }
    Ok(blocks)
}

fn not_restored(rank: u32, name: &str, error: &FileError) -> Error {
    let why = match error {
        FileError::Io(cause) => format!("{name} of rank {rank} cannot be read to its end: {cause}"),
        error => format!("{name} of rank {rank} cannot be restored: {error}"),
    };
    Error::Task(TaskError::NotRestored { why })
}

impl<O: FnMut(u32, &str) -> Result<R>, R: Read> Iterator for RestoredBlocks<O, R> {
    type Item = Result<Block>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_block().transpose();
        if matches!(next, Some(Err(_))) {
            // Nothing is certain behind an error.
            self.files.clear();
        }
        next
    }
}

#[cfg(test)]
mod tests;
