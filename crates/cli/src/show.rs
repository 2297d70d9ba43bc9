//! What people see: tables and colours on a terminal, JSON in a pipe.

use std::io::{IsTerminal, Write};
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use comfy_table::{Table, presets};
use incumbent::View;
use serde_json::{Value, json};

use crate::args::{Format, Output};

impl Output {
    /// Whether to print JSON.
    pub(crate) fn is_json(self) -> bool {
        match self.format {
            Format::Json => true,
            Format::Table => false,
            Format::Auto => !std::io::stdout().is_terminal(),
        }
    }
}

/// Prints a line; false once nobody reads any more.
pub(crate) fn line(text: impl std::fmt::Display) -> bool {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// A table with these columns, without frames, so that it can be copied.
pub(crate) fn table(columns: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(columns.to_vec())
        .add_rows(rows);
    let text = table.to_string();
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

/// The moment, for people.
#[expect(clippy::disallowed_methods, reason = "shown to people")]
pub(crate) fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// The word for a view, and its colour.
pub(crate) fn word(view: &View) -> (&'static str, Style) {
    match view {
        View::None => ("none", AnsiColor::Red.on_default()),
        View::Activating(_) => ("activating", AnsiColor::Yellow.on_default()),
        View::Active(_) => ("active", AnsiColor::Green.on_default()),
    }
}

/// A view as JSON, as `observe` prints it and the records API answers it.
pub(crate) fn json(view: &View) -> Value {
    let state = word(view).0;
    match view {
        View::None => json!({ "state": state }),
        View::Activating(leader) | View::Active(leader) => json!({
            "state": state,
            "epoch": leader.epoch,
            "holder": leader.holder,
            "nonce": leader.nonce,
            "endpoints": leader.endpoints,
            "since": leader.since,
        }),
    }
}
