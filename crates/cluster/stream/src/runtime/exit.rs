//! How this process ends: with which code, and which last line.
//!
//! When a rank dies, its peers end within milliseconds, often before anybody has noticed the first
//! death. So they say by their code that the cause is elsewhere, and the cluster shows the first
//! one ([`PEER_LOST`]). A thread that panics would leave the others waiting for it; so the process
//! ends at once.

use std::any::Any;
use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;

use incumbent_task::exit::{OF_NO_USE, PEER_LOST};

use crate::Error;

/// A source, a sink or the TaskManager has failed.
const FAILED: i32 = 1;

/// A panic: what Rust's own exit code for it is.
const PANICKED: i32 = 101;

/// How far this process is: one of the following.
static PHASE: AtomicU8 = AtomicU8::new(WORKING);
const WORKING: u8 = 0;
/// It was told to stop: peers may go.
const STOPPING: u8 = 1;

/// Whether a peer has broken off after this process was told to stop.
static HAS_LOST_A_PEER: AtomicBool = AtomicBool::new(false);

/// Whether a thread is ending the process.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Makes every panic of any thread end the process.
pub(super) fn on_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let thread = thread::current();
        let thread = thread.name().unwrap_or("a thread");
        match is_of_a_peer(thread, &message(info.payload())) {
            true if PHASE.load(Ordering::Acquire) == STOPPING => {
                // Only publishing is left, which needs nobody. It must not unwind: that would
                // spread to the worker.
                HAS_LOST_A_PEER.store(true, Ordering::Release);
                forever();
            }
            true => end(
                PEER_LOST,
                format_args!(
                    "another task of this job has gone: {}",
                    message(info.payload())
                ),
            ),
            false => {
                usual(info);
                end(PANICKED, format_args!("{}", panicked(thread, info)));
            }
        }
    }));
}

/// From now on, peers may go.
pub(super) fn stopping() {
    PHASE.store(STOPPING, Ordering::Release);
}

/// Whether a peer has broken off after [`stopping`]: what waits for it waits in vain.
pub(super) fn has_lost_a_peer() -> bool {
    HAS_LOST_A_PEER.load(Ordering::Acquire)
}

/// Ends the process as this error says.
pub(super) fn with(error: &Error) -> ! {
    let code = match error {
        Error::Malformed(_) | Error::DoesNotFit(_) => OF_NO_USE,
        Error::Peers(_) => PEER_LOST,
        Error::Source { .. }
        | Error::Sink { .. }
        | Error::State(_)
        | Error::Task(_)
        | Error::Io { .. } => FAILED,
    };
    end(code, format_args!("{}", chain(error)))
}

/// Ends the process. If another thread is doing that, its reason stands.
fn end(code: i32, why: std::fmt::Arguments<'_>) -> ! {
    if IS_ENDING.swap(true, Ordering::AcqRel) {
        forever();
    }
    // In one piece, and whether or not anybody reads it.
    let line = format!("this task ends with {code}: {why}\n");
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
    std::process::exit(code)
}

fn forever() -> ! {
    loop {
        thread::park();
    }
}

/// An error and its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

/// Whether timely panics because a peer is gone, or because a thread of its did for that reason.
fn is_of_a_peer(thread: &str, message: &str) -> bool {
    let is_network_thread =
        thread.starts_with("timely:send-") || thread.starts_with("timely:recv-");
    is_network_thread
        || message.starts_with("timely communication error:")
        || message.contains("MergeQueue poisoned")
}

fn message(payload: &dyn Any) -> String {
    let text = (payload.downcast_ref::<&str>().copied())
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words").to_owned()
}

fn panicked(thread: &str, info: &PanicHookInfo<'_>) -> String {
    let message = message(info.payload());
    let place = info
        .location()
        .map_or_else(String::new, |at| format!(" at {at}"));
    match thread.strip_prefix("sink ") {
        Some(sink) => format!("sink {sink} panicked{place}: {message}"),
        None => match super::operator::present() {
            Some(operator) => format!("operator {operator} panicked{place}: {message}"),
            None => format!("{thread} panicked{place}: {message}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_peer_is_told_from_a_fault_of_the_job() {
        let lost = "timely communication error: reading data: socket closed";
        assert!(is_of_a_peer("main", lost));
        assert!(is_of_a_peer("main", "MergeQueue poisoned."));
        assert!(is_of_a_peer("timely:send-1", "failed to send MergeQueue"));
        assert!(!is_of_a_peer("main", "index out of bounds"));
        assert!(!is_of_a_peer(
            "sink out",
            "no timely communication error: is here"
        ));
    }

    #[test]
    fn an_error_is_one_line_with_its_causes() {
        let error = Error::Source {
            name: "bids".to_owned(),
            cause: "no such file".into(),
        };
        assert_eq!(chain(&error), "source bids: no such file");
    }
}
