//! [`run`]: what the `main` of a job calls.
//!
//! As a task of a cluster it speaks the task contract ([`contract`](self::contract)); alone it plays
//! the cluster itself ([`local`](self::local)).

mod contract;
mod local;
mod restore;
mod upload;

use std::process::ExitCode;

use crate::Error;
use crate::api::Job;

/// Another attempt would fail in the same way (`EX_CONFIG` of `sysexits.h`): the cluster does not
/// try again.
const OF_NO_USE: u8 = 78;

/// Another task of the job is gone, or was not reached (`EX_TEMPFAIL`): the cause is elsewhere.
pub(crate) const PEER_LOST: u8 = 75;

/// In every executable that calls [`run`], so that `incumbent job run` knows that it is one, and
/// gives it checkpoints without being told.
#[used]
static MARK: &[u8] = b"incumbent-stream-job-version-1";

/// Runs a job, and returns how the process is to end.
///
/// As a task of a cluster (`incumbent job run -- my-job`), the job has exactly-once state and
/// output, survives whatever is killed, and its state answers queries. Without a cluster, the same
/// job runs in this process until its input ends or Ctrl-C is pressed; its output appears, and
/// nothing of its state is kept.
///
/// `describe` is called several times, on several threads: it describes the job, and does nothing
/// else.
///
/// # Exit codes
///
/// 0 if it has ended as it should, 78 if another try would fail in the same way (a job that is not
/// well-formed, a checkpoint that does not fit), 75 if another task of the job is gone, 1 else.
pub fn run(describe: impl Fn(&Job<'_>) + Send + Sync + 'static) -> ExitCode {
    std::hint::black_box(MARK);
    let ended = match std::env::var_os(SOCKET) {
        Some(_) => contract::run(describe),
        None => local::run(describe),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::from(code(&error))
        }
    }
}

/// The variable that a task finds its TaskManager by.
const SOCKET: &str = "INCUMBENT_TASK_SOCKET";

/// The error with its causes, on one line: the last one of a log is what people are shown.
fn tell(error: &Error) {
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(each) = cause {
        line.push_str(": ");
        line.push_str(&each.to_string());
        cause = each.source();
    }
    #[expect(clippy::print_stderr, reason = "this is the process's last word")]
    {
        eprintln!("error: {line}");
    }
}

fn code(error: &Error) -> u8 {
    match error {
        Error::Malformed(_) | Error::DoesNotFit(_) => OF_NO_USE,
        Error::Peers(_) => PEER_LOST,
        Error::Source { .. }
        | Error::Sink { .. }
        | Error::State(_)
        | Error::Task(_)
        | Error::Io { .. } => 1,
    }
}

pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let doing = doing.into();
    |cause| Error::Io { doing, cause }
}

type Describe = dyn Fn(&Job<'_>) + Send + Sync;

/// Ends the process because of what a thread beside the worker met: the worker may be waiting.
pub(crate) fn give_up(error: &Error) -> ! {
    tell(error);
    std::process::exit(code(error).into());
}
