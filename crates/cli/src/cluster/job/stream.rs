//! Whether a program is a stream job, made with `incumbent-stream`: such a program needs
//! checkpoints, and all its effects go through them, so nobody has to say so.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What every executable has that calls `incumbent_stream::run`.
const MARK: &[u8] = b"incumbent-stream-job-version-1";

/// How much of a file is looked at at a time.
const PIECE: usize = 1 << 20;

/// Whether this file is a stream job.
///
/// # Errors
///
/// It cannot be read.
pub(super) fn is_stream_job(path: &Path) -> io::Result<bool> {
    find(File::open(path)?)
}

fn find(mut file: impl Read) -> io::Result<bool> {
    let mut window = Vec::with_capacity(PIECE + MARK.len());
    loop {
        let kept = window.len();
        let read = (&mut file).take(PIECE as u64).read_to_end(&mut window)?;
        if window.windows(MARK.len()).any(|bytes| bytes == MARK) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        // The mark may lie across two pieces.
        let from = (kept + read).saturating_sub(MARK.len() - 1);
        window.drain(..from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_found_wherever_it_lies() {
        for before in [0, 1, PIECE - MARK.len(), PIECE - 5, PIECE, 2 * PIECE - 1] {
            let mut bytes = vec![b'i'; before];
            bytes.extend(MARK);
            bytes.extend(b"behind it");
            assert!(find(&bytes[..]).unwrap(), "behind {before} bytes");
        }
        assert!(!find(&MARK[1..]).unwrap());
        assert!(!find(&b""[..]).unwrap());
    }
}
