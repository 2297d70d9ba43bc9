//! From the pipe of a task to its log.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use incumbent_backend::outage::{News, Outage, Recovery};
use tokio::net::unix::pipe;
use tokio::time::Instant;

use super::files::Kept;
use super::{LastLines, LogFiles, TaskLog};

/// Most bytes that are taken from a pipe at once: as many as a pipe of Linux holds.
const CHUNK: usize = 64 * 1024;

/// What a pump works on.
#[derive(Debug)]
pub(in super::super) struct Pump {
    /// The end of the pipe that is read.
    pub(in super::super) pipe: pipe::Receiver,
    /// Where it goes.
    pub(in super::super) files: LogFiles,
    /// Its log, which is closed at the end.
    pub(in super::super) log: TaskLog,
    /// Its last lines.
    pub(in super::super) last_lines: Arc<Mutex<LastLines>>,
}

/// Moves what the task prints into its log until nobody can print any more.
///
/// A disk that takes nothing, or not enough, costs log lines and never stops the task. Only a disk
/// that does not answer holds it up, once its pipe is full.
///
/// # Cancel safety
///
/// If the future is dropped, what was read last may be missing in the log, which is not closed.
pub(in super::super) async fn pump(pump: Pump) {
    let Pump {
        pipe,
        mut files,
        log,
        last_lines,
    } = pump;
    let outage = Outage::new();
    while let Some(chunk) = next_chunk(&pipe).await {
        last_lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(&chunk);
        metrics::counter!(crate::task_manager::metrics::LOG_BYTES).increment(chunk.len() as u64);
        let written = tokio::task::spawn_blocking(move || {
            let kept = files.append(Instant::now(), &chunk);
            (files, kept, chunk.len())
        });
        let Ok((returned, kept, length)) = written.await else {
            // The process is shutting down.
            break;
        };
        files = returned;
        tell(&outage, kept, length);
    }
    log.close();
}

fn tell(outage: &Outage, kept: Kept, length: usize) {
    match kept {
        Kept::All => {
            if let Recovery::Over { .. } = outage.worked() {
                tracing::info!("the disk takes the log of the task again");
            }
        }
        Kept::Refused(error) => {
            metrics::counter!(crate::task_manager::metrics::LOG_REFUSED).increment(length as u64);
            let Some(error) = error else { return };
            if let News::Began | News::OtherReason = outage.failed(&error.to_string()) {
                tracing::warn!(
                    %error,
                    "the disk does not take the log of the task; the task goes on, lines are \
                     missing until the disk takes them again"
                );
            }
        }
    }
}

/// What is in the pipe. `None`: all of it was read, and nobody has the other end.
///
/// Memory is only taken when there is something: most tasks are silent most of the time.
async fn next_chunk(pipe: &pipe::Receiver) -> Option<Vec<u8>> {
    loop {
        pipe.readable().await.ok()?;
        let mut chunk = Vec::with_capacity(CHUNK);
        match pipe.try_read_buf(&mut chunk) {
            Ok(0) => return None,
            Ok(_) => return Some(chunk),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}
