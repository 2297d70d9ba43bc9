//! How long the disk takes for the writes that both servers await before they acknowledge.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use crate::{Failure, stopwatch};

/// Bytes of one write: a small batch of either server.
const BLOCK: usize = 4096;

/// Blocks of the file. It is filled with zeros first, so that a sync writes only the block.
const BLOCKS: u64 = 256;

/// How long single writes with syncs take on an otherwise idle disk.
pub(super) fn syncs(above: &Path, count: u64) -> Result<Vec<Duration>, Failure> {
    let file: File = tempfile::tempfile_in(above)?;
    let zeros = vec![0; BLOCK];
    for block in 0..BLOCKS {
        file.write_all_at(&zeros, block * BLOCK as u64)?;
    }
    file.sync_all()?;
    let block = vec![1; BLOCK];
    let mut took = Vec::new();
    for number in 0..count {
        let begin = stopwatch::now();
        file.write_all_at(&block, number % BLOCKS * BLOCK as u64)?;
        file.sync_data()?;
        took.push(begin.elapsed());
    }
    Ok(took)
}
