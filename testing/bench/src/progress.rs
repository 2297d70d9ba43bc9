//! Shows progress on standard error.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::stopwatch;

/// How often progress is shown: on a terminal, and in a log.
const ON_TERMINAL: Duration = Duration::from_millis(250);
const IN_LOG: Duration = Duration::from_secs(5);

/// One thing under way.
pub(crate) struct Progress {
    what: String,
    begin: Instant,
    told: Instant,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        let begin = stopwatch::now();
        let progress = Self {
            what: what.into(),
            begin,
            told: begin,
            terminal: std::io::stderr().is_terminal(),
        };
        progress.tell("begins");
        progress
    }

    pub(crate) fn step(&mut self, how_far: impl FnOnce() -> String) {
        let pause = if self.terminal { ON_TERMINAL } else { IN_LOG };
        let now = stopwatch::now();
        if now.duration_since(self.told) >= pause {
            self.told = now;
            self.tell(&how_far());
        }
    }

    /// A line that stays.
    pub(crate) fn note(&self, text: &str) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        eprintln!("{clear}{text}");
    }

    fn tell(&self, how_far: &str) {
        let seconds = self.begin.elapsed().as_secs();
        let text = format!("{}: {how_far} ({seconds} s)", self.what);
        if self.terminal {
            eprint!("\r\x1b[K{text}");
            // The measurement goes on without progress that can be shown.
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{text}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
