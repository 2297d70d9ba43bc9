//! [`run`]: what the `main` of a job calls.
//!
//! As a task of a cluster it speaks the task contract (`contract.rs`); alone it plays the cluster
//! itself (`local.rs`). How a process ends is in `exit.rs`.
//!
//! ```text
//!   main thread                         others
//!   plan, restore, open, ready, mesh
//!   worker ◄── orders ───────────────── events: what the TaskManager says
//!     └─────── reports ──► files: blocks, put together
//!                             ├───────► uploads: files of checkpoints, acknowledgements
//!                             └───────► shown: metrics and progress
//! ```

mod contract;
mod exit;
mod local;
pub(crate) mod operator;
mod program;
mod queries;
mod restore;
mod shown;
mod upload;

use std::process::ExitCode;
use std::sync::Arc;

use crate::api::Job;
use crate::{Error, Result};

/// In every executable that calls [`run`], so that `incumbent job run` knows that it is one, and
/// gives it checkpoints without being told.
#[used]
static MARK: &[u8] = b"incumbent-stream-job-version-1";

/// Shows what sources and sinks log on standard error, unless the job shows it itself.
fn log() {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false);
    // The job's own stands.
    let _ = subscriber.with_max_level(tracing::Level::INFO).try_init();
}

/// The variable that a task finds its TaskManager by.
const SOCKET: &str = "INCUMBENT_TASK_SOCKET";

/// What describes a job.
type Describe = dyn Fn(&Job<'_>) + Send + Sync;

/// Runs a job, and returns how the process is to end.
///
/// As a task of a cluster (`incumbent job run -- my-job`), the job has exactly-once state and
/// output, survives whatever is killed, and its state answers queries. Without a cluster, the same
/// job runs in this process until its input ends or Ctrl-C is pressed; its output appears, and
/// nothing of its state is kept. `INCUMBENT_STREAM_TASKS` says how many tasks there are then.
///
/// `describe` is called several times, on several threads: it describes the job, and does nothing
/// else.
///
/// # Exit codes
///
/// An error, and a panic of any thread, end the process at once, with the reason as its last line.
///
/// | code | when |
/// |---|---|
/// | 0 | it was told to stop, or its input has ended, and everything is published |
/// | 1 | a source or a sink failed, or the TaskManager does not answer |
/// | 75 | another task of the job is gone: the cause is there |
/// | 78 | another try would fail in the same way: the job is not well-formed, or does not fit the checkpoint |
/// | 101 | a panic |
pub fn run(describe: impl Fn(&Job<'_>) + Send + Sync + 'static) -> ExitCode {
    std::hint::black_box(MARK);
    exit::on_panic();
    log();
    let describe: Arc<Describe> = Arc::new(describe);
    let ended = match std::env::var_os(SOCKET) {
        Some(_) => contract::run(&describe),
        None => local::run(&describe),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::with(&error),
    }
}

pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let doing = doing.into();
    |cause| Error::Io { doing, cause }
}

/// Starts a thread, which ends with the process.
fn spawn(
    name: impl Into<String>,
    run: impl FnOnce() + Send + 'static,
) -> Result<std::thread::Thread> {
    let spawned = std::thread::Builder::new().name(name.into()).spawn(run);
    let handle = spawned.map_err(io("starting a thread"))?;
    Ok(handle.thread().clone())
}
