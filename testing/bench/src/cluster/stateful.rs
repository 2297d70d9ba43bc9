//! The measured task of a job that checkpoints: it stores so many bytes when asked, and tells the
//! bench what it was told.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;

use incumbent_task::{Error, Event, Task};

/// `__stateful SOCKET BYTES`: all ranks together store BYTES. Tells the bench that listens at
/// SOCKET a line for each thing that happens: `RANK ATTEMPT`, then `ready`, `asked N`,
/// `committed N`, `stop`.
pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> io::Result<()> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let socket = args.next().ok_or_else(invalid)?;
    let total: usize = args
        .next()
        .and_then(|bytes| bytes.to_str()?.parse().ok())
        .ok_or_else(invalid)?;
    let task = Task::from_env().map_err(io::Error::other)?;
    let tasks = usize::try_from(task.tasks()).map_err(io::Error::other)?;
    // Not compressible, and cheap to make. After another number of tasks it is again as large.
    let state: Vec<u8> = (0..(total / tasks) as u64)
        .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect();
    if let Some(restore) = task.restore().map_err(io::Error::other)? {
        // As a real one does: all of it is read by somebody, here in turns.
        for rank in restore.ranks.iter().map(|rank| rank.rank) {
            if rank % task.tasks() == task.rank() {
                restore.bytes(rank, "state").map_err(io::Error::other)?;
            }
        }
    }
    let mut bench = UnixStream::connect(socket)?;
    writeln!(bench, "{} {}", task.rank(), task.attempt())?;
    task.ready().map_err(io::Error::other)?;
    writeln!(bench, "ready")?;
    for event in task.events() {
        match event.map_err(io::Error::other)? {
            Event::Checkpoint { number, .. } => {
                writeln!(bench, "asked {number}")?;
                let mut part = task.checkpoint(number);
                let stored = part.put_bytes("state", &state).map(drop);
                match stored.and_then(|()| part.ack()) {
                    // One that was aborted meanwhile is not measured.
                    Ok(()) | Err(Error::NotPending { .. }) => {}
                    Err(error) => return Err(io::Error::other(error)),
                }
            }
            Event::Committed { number } => writeln!(bench, "committed {number}")?,
            Event::Stop => {
                writeln!(bench, "stop")?;
                return Ok(());
            }
            _ => {}
        }
    }
    Ok(())
}
