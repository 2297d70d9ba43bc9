//! Panics of the guard and of the shim are reported without waiting.
//!
//! A guard that panics ends, and the kernel ends COMMAND with it. If the report waited for the
//! reader of standard error, a full pipe would keep the guard alive, and COMMAND without a guard.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::write;
use rustix::net::{SendFlags, send};

/// Reports panics of this process without waiting from now on.
pub(crate) fn report_without_waiting() {
    std::panic::set_hook(Box::new(|panic| {
        let text = format!("incumbent: the guard of a command {panic}\n");
        // What cannot be written at once is lost.
        let _ = write_without_waiting(io::stderr().as_fd(), &text);
    }));
}

/// Writes as much as the file takes at once.
///
/// `O_NONBLOCK` belongs to the open file, which other processes share, so it is not set on this
/// one: the file is opened again. Sockets cannot be opened again, but can send without waiting.
fn write_without_waiting(file: BorrowedFd<'_>, text: &str) -> io::Result<usize> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags =
        OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let written = match open(path, flags, Mode::empty()) {
        Ok(again) => write(again, text.as_bytes())?,
        Err(_) => send(
            file,
            text.as_bytes(),
            SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
        )?,
    };
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_full_pipe_is_not_waited_for() {
        let (mut reading, writing) = io::pipe().unwrap();
        let line = "x".repeat(1023) + "\n";
        let refused = std::iter::repeat_with(|| write_without_waiting(writing.as_fd(), &line))
            .find_map(Result::err);
        assert_eq!(refused.unwrap().kind(), io::ErrorKind::WouldBlock);
        // The pipe itself still waits, for other processes.
        drop(writing);
        let mut text = String::new();
        reading.read_to_string(&mut text).unwrap();
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn a_full_socket_is_not_waited_for() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let line = "x".repeat(1023) + "\n";
        let refused = std::iter::repeat_with(|| write_without_waiting(ours.as_fd(), &line))
            .find_map(Result::err);
        assert_eq!(refused.unwrap().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_file_is_appended_to() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before\n").unwrap();
        write_without_waiting(file.as_fd(), "after\n").unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "before\nafter\n");
    }
}
