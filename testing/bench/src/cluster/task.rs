//! The measured task: reports that it runs, and prints numbers.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Pause between two numbers.
const PAUSE: Duration = Duration::from_millis(20);

/// `__task SOCKET`: reports attempt and rank to the bench that listens there, and prints the
/// numbers from 0 until the bench has ended.
pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> io::Result<()> {
    let socket = args.next().ok_or(io::ErrorKind::InvalidInput)?;
    let mut bench = UnixStream::connect(socket)?;
    let own = |name| std::env::var(name).unwrap_or_default();
    let line = format!("{} {}\n", own("INCUMBENT_RANK"), own("INCUMBENT_ATTEMPT"));
    bench.write_all(line.as_bytes())?;
    bench.set_read_timeout(Some(PAUSE))?;
    let mut out = io::stdout().lock();
    for number in 0_u64.. {
        writeln!(out, "{number}")?;
        out.flush()?;
        // Nothing is sent. Either the pause passes, or the connection has ended, and the bench too.
        match bench.read(&mut [0]) {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
