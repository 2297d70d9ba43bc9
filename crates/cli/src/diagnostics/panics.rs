//! Panics are reported like everything else: without waiting for the reader.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

use super::queue::{LAST_LINES, LineQueue};

/// Reports panics of this process through this queue from now on.
pub(super) fn report_through(queue: &'static LineQueue) {
    std::panic::set_hook(Box::new(|panic| {
        queue.push(&describe(panic));
        // The process may end right after a panic of its first thread.
        if std::thread::current().name() == Some("main") {
            queue.flush(LAST_LINES);
        }
    }));
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("<unnamed>");
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => format!("thread '{thread}' {panic}\n{backtrace}"),
        _ => format!("thread '{thread}' {panic}"),
    }
}
