//! What the disk takes for what both servers wait for before they acknowledge.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use crate::{Failure, stopwatch};

/// Written at a time: a small batch of either server.
const BLOCK: usize = 4096;

/// Blocks of a file that is written with zeros before: a sync has nothing to write but the block.
const BLOCKS: u64 = 256;

/// How long single writes and syncs take, of one who does nothing else.
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
