//! What people and programs read on standard output: tables and colours on a terminal, JSON in a
//! pipe.
//!
//! A write error is a failure of the command. A reader that has left, as `head` does, is not: the
//! command then has nothing more to print.

pub(crate) mod escape;
mod view;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, SystemTime};

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::exit::Failure;
use escape::{json_printable, printable};
pub(crate) use view::{view_json, view_word};

/// How long a server that starts waits for the reader of its addresses.
const ANNOUNCEMENT: Duration = Duration::from_secs(1);

/// Whether somebody still reads standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Reads,
    /// It has closed its end of the pipe.
    Left,
}

/// Prints lines for people. Control characters are escaped, but for the ends of lines.
pub(crate) fn line(text: impl Display) -> Result<Reader, Failure> {
    let text = text.to_string();
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    print(format!("{}\n", lines.join("\n")).as_bytes())
}

/// Prints a line that may have colours, from parts that are [`printable`].
pub(crate) fn styled_line(text: impl Display) -> Result<Reader, Failure> {
    styled(&format!("{text}\n"))
}

/// Prints this program's own text. Its colours are left out if standard output shows none.
pub(crate) fn styled(text: &str) -> Result<Reader, Failure> {
    print_to(anstream::stdout().lock(), text.as_bytes())
}

/// Prints a value as JSON, on one line.
pub(crate) fn json_line(value: &impl Serialize) -> Result<Reader, Failure> {
    let text = serde_json::to_string(value)
        .map_err(|cause| Failure::new("cannot write JSON").because(cause))?;
    print(format!("{}\n", json_printable(&text)).as_bytes())
}

/// Prints JSON as it was stored, byte for byte; on a terminal, with control characters escaped.
pub(crate) fn stored_json(text: &str) -> Result<Reader, Failure> {
    if std::io::stdout().is_terminal() {
        print(format!("{}\n", json_printable(text)).as_bytes())
    } else {
        print(format!("{text}\n").as_bytes())
    }
}

/// Prints text as it is.
pub(crate) fn print(text: &[u8]) -> Result<Reader, Failure> {
    print_to(io::stdout().lock(), text)
}

fn print_to(mut out: impl Write, text: &[u8]) -> Result<Reader, Failure> {
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::Reads),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Left),
        Err(error) => Err(Failure::new("cannot write to standard output").because(error)),
    }
}

/// Prints in another thread. The future may be dropped, so that a command that follows something
/// can end although nobody reads.
pub(crate) async fn in_background(
    print: impl FnOnce() -> Result<Reader, Failure> + Send + 'static,
) -> Result<Reader, Failure> {
    let printed = tokio::task::spawn_blocking(print).await;
    printed.unwrap_or_else(|error| Err(Failure::new("cannot print").because(error)))
}

/// Prints an address at which a server listens, for a program that has started it with port 0. If
/// nobody reads within a second, the server goes on: the log has the address, too.
pub(crate) async fn announce(address: String) -> Result<(), Failure> {
    let printed = in_background(move || line(address));
    match tokio::time::timeout(ANNOUNCEMENT, printed).await {
        Ok(printed) => printed.map(drop),
        Err(_) => {
            tracing::warn!("nobody reads standard output; serving without waiting for it");
            Ok(())
        }
    }
}

/// A table with these columns, without frames, so that it can be copied. Cells are escaped.
pub(crate) fn table(columns: &[&str], rows: Vec<Vec<String>>) -> String {
    let rows = rows
        .into_iter()
        .map(|row| row.into_iter().map(|cell| printable(&cell).into_owned()));
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(columns.to_vec())
        .add_rows(rows.map(Vec::from_iter));
    let text = table.to_string();
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

/// The present moment, for people.
pub(crate) fn now() -> String {
    humantime::format_rfc3339_millis(moment()).to_string()
}

/// The same, to say how long ago something was.
#[expect(clippy::disallowed_methods, reason = "shown to people")]
pub(crate) fn moment() -> SystemTime {
    SystemTime::now()
}

/// A number of bytes, for people.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn bytes(number: u64) -> String {
    let mut shown = number as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if shown < 1000.0 {
            return match unit {
                "B" => format!("{number} B"),
                unit => format!("{shown:.1} {unit}"),
            };
        }
        shown /= 1024.0;
    }
    format!("{shown:.1} TiB")
}
