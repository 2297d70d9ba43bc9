//! Descriptors that a process was started with.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// The last of stdin, stdout and stderr.
const LAST_STANDARD: RawFd = 2;

/// Closes every descriptor of this process but the standard ones and `kept`.
///
/// Call it only where every descriptor that the process has opened itself is kept: an owner of one
/// of the others would use a descriptor that is gone, or another file under its number.
pub(crate) fn close_others(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    // The directory's own descriptor is among them, and is closed when they have been read.
    let open: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for fd in open {
        if fd > LAST_STANDARD && !kept.iter().any(|kept| kept.as_raw_fd() == fd) {
            let _ = nix::unistd::close(fd);
        }
    }
    Ok(())
}
