//! [`Console`]: what the browser says to those who made the page.

use std::fmt;

use serde_json::{Value, json};

use crate::browser::{Browser, text};

/// Lines of the browser's console, oldest first.
#[derive(Debug, Default)]
pub struct Console(Vec<Line>);

#[derive(Debug)]
struct Line {
    level: String,
    source: String,
    message: String,
}

impl Browser {
    /// What has come since this was asked last.
    #[track_caller]
    pub fn console(&self) -> Console {
        let lines = self.post("se/log", &json!({"type": "browser"}));
        let lines = lines.as_array().cloned().unwrap_or_default();
        Console(lines.iter().map(Line::of).collect())
    }
}

impl Console {
    /// All errors and warnings. Requests that failed are among them.
    pub fn errors(&self) -> Vec<String> {
        self.bad().map(Line::to_string).collect()
    }

    /// Errors and warnings, without those of requests that got no answer: a page of a node that is
    /// killed has such, and says so itself. An answer that is an error stays in.
    pub fn errors_but_silence(&self) -> Vec<String> {
        let is_silence =
            |line: &Line| line.source == "network" && line.message.contains("net::ERR_");
        self.bad()
            .filter(|line| !is_silence(line))
            .map(Line::to_string)
            .collect()
    }

    fn bad(&self) -> impl Iterator<Item = &Line> {
        self.0
            .iter()
            .filter(|line| ["SEVERE", "WARNING"].contains(&line.level.as_str()))
    }
}

impl fmt::Display for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Line {
    fn of(line: &Value) -> Self {
        Self {
            level: text(&line["level"]),
            source: text(&line["source"]),
            message: text(&line["message"]),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.level, self.source, self.message)
    }
}
