//! Everything that this program writes to standard error: logs, messages, panics.
//!
//! Nothing here waits for the reader. A leader must renew its lease and a server must answer, even
//! if standard error is a full pipe. So all text goes through one [`LineQueue`]: its own thread
//! writes, and what finds no room is dropped and counted. [`finish`] waits a moment at the end.

pub(crate) mod logging;
mod panics;
pub(crate) mod queue;

use std::fmt::Display;
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use queue::{LAST_LINES, LineQueue, Loss, QueueOptions};
use serde_json::json;

use crate::show::escape::printable;
use crate::show::now;

/// How many bytes may wait for a slow reader: some thousand lines.
const ROOM: usize = 1024 * 1024;

/// The counter of lost lines.
pub(crate) const LOST: &str = "incumbent_diagnostics_lines_lost_total";

const ERROR: Style = AnsiColor::Red.on_default().bold();

static QUEUE: OnceLock<LineQueue> = OnceLock::new();

/// Whether logs are JSON objects. The report of lost lines is one of them.
static AS_JSON: AtomicBool = AtomicBool::new(false);

/// Sends everything that is written to standard error through the queue from now on, panics
/// included. To be called first.
pub(crate) fn begin() {
    panics::report_through(queue());
}

/// Prints a message for people.
pub(crate) fn say(message: impl Display) {
    queue().push(&printable(&message.to_string()));
}

/// Prints why the program ends without success.
pub(crate) fn say_error(message: &str) {
    let message = printable(message);
    if is_coloured() {
        queue().push(&format!("{ERROR}incumbent:{ERROR:#} {message}"));
    } else {
        queue().push(&format!("incumbent: {message}"));
    }
}

/// Prints a question for a person, and leaves the cursor behind it.
pub(crate) fn ask(question: impl Display) {
    say_text(&printable(&question.to_string()));
    queue().flush(LAST_LINES);
}

/// Prints text of this program's own as it is: whole lines, also with colours.
pub(crate) fn say_text(text: &str) {
    queue().push_text(text.as_bytes());
}

/// Shows how far something is, on one line of the terminal, in place of the line before.
pub(crate) fn say_progress(line: &str) {
    say_text(&format!("\r{line}\u{1b}[K"));
}

/// Takes that line away.
pub(crate) fn end_progress() {
    say_text("\r\u{1b}[K");
}

/// Whether a person reads standard error.
pub(crate) fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether standard error shows colours.
pub(crate) fn is_coloured() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// Waits a moment for what is not written yet. To be called last.
pub(crate) fn finish() {
    queue().flush(LAST_LINES);
}

fn queue() -> &'static LineQueue {
    QUEUE.get_or_init(|| {
        let options = QueueOptions {
            thread: "diagnostics",
            room: ROOM,
            lost_metric: LOST,
            report: Box::new(|loss| Some(lost_line(loss, AS_JSON.load(Ordering::Relaxed)))),
        };
        LineQueue::to(std::io::stderr(), options).expect("the system has room for one more thread")
    })
}

fn lost_line(loss: &Loss, as_json: bool) -> String {
    let message = format!(
        "lines of this log are lost: {}; logging continues",
        loss.reason()
    );
    let lost = loss.lines;
    if as_json {
        json!({ "timestamp": now(), "level": "WARN", "message": message, "lost": lost }).to_string()
    } else {
        format!("{}  WARN {message} lost={lost}", now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_reported_in_the_form_of_the_log() {
        let loss = Loss {
            lines: 3,
            error: None,
        };
        assert!(lost_line(&loss, false).ends_with(
            "WARN lines of this log are lost: nobody read them fast enough; logging continues lost=3"
        ));
        let line: serde_json::Value = serde_json::from_str(&lost_line(&loss, true)).unwrap();
        assert_eq!((&line["level"], &line["lost"]), (&"WARN".into(), &3.into()));
    }
}
