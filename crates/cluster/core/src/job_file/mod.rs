//! Job files: a job as its owner writes it down, in TOML.
//!
//! ```toml
//! name = "count"
//! tasks = 2
//! artifact = "./count.sh"
//! command = ["{artifact}", "--rank", "{rank}"]
//!
//! [env]
//! PEERS = "{peers:;}"
//! ```
//!
//! [`parse`] reads a file, and [`check()`] looks at a specification, wherever it comes from. Both
//! say everything that is wrong at once, and neither repeats a value of the environment.
//! [`reference()`] describes all keys.

mod check;
mod checkpoints;
mod keys;
mod place;
mod read;
mod restart;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use toml::de::DeTable;

use crate::JobSpec;
use place::Places;
use read::Reader;

pub(crate) use check::is_variable;
pub use check::{
    LONGEST_CHECKPOINT, LONGEST_DELAY, LONGEST_GRACE, LONGEST_ISOLATION, MOST_ENDPOINTS,
    MOST_FAILURES, MOST_VARIABLES, SHORTEST_INTERVAL, SHORTEST_ISOLATION, SHORTEST_TIMEOUT, check,
};
pub use keys::reference;

/// The longest job file, in bytes: a specification has at most 64 KiB, the rest are comments.
pub const LARGEST_FILE: usize = 256 * 1024;

/// How many problems are told at most. Twenty are enough to begin with.
const MOST_TOLD: usize = 20;

/// A job file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFile {
    /// The job. Its name is empty if the file has none. It has no artifact: that has to be uploaded
    /// first.
    pub spec: JobSpec,
    /// The path of the artifact, as it is written in the file.
    pub artifact: Option<String>,
    /// What it starts from, as it is written in the file: a specification has ids instead.
    pub restore: Option<String>,
}

/// Something that is wrong with a specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct Problem {
    /// The key, as in `restart.delay` or `command[2]`.
    pub key: String,
    /// What is wrong, and what is right.
    pub why: String,
    /// The key as it stands in the file, if that is not to be shown.
    hidden_key: Option<Hidden>,
    /// How many characters of the value come before the problem, if it is inside the value.
    at: Option<usize>,
}

impl Problem {
    /// The field of a [`JobSpec`] as JSON, as in `restart.delay_ms`.
    pub fn field(&self) -> Cow<'_, str> {
        let field = match self.key.as_str() {
            "grace" => "grace_ms",
            "isolation-timeout" => "isolation.timeout_ms",
            "checkpoints.interval" => "checkpoints.interval_ms",
            "checkpoints.timeout" => "checkpoints.timeout_ms",
            "restart.delay" => "restart.delay_ms",
            "restart.initial-backoff" => "restart.initial_ms",
            "restart.max-backoff" => "restart.max_ms",
            "restart.reset-backoff-threshold" => "restart.reset_after_ms",
            same => match same.strip_prefix("env-files.") {
                Some(name) => return Cow::Owned(format!("env_files.{name}")),
                None => same,
            },
        };
        Cow::Borrowed(field)
    }
}

/// What no message shows, not even one for developers.
#[derive(Clone, PartialEq, Eq)]
struct Hidden(String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Something that is wrong with a job file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The key, if it belongs to one.
    pub key: Option<String>,
    /// What is wrong, and what is right.
    pub why: String,
}

/// Everything that is wrong with a job file, from its first line to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadJobFile {
    /// At least one.
    pub problems: Vec<FileProblem>,
}

impl std::error::Error for BadJobFile {}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.why)
    }
}

impl fmt::Display for BadJobFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().take(MOST_TOLD).enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        match self.problems.len().saturating_sub(MOST_TOLD) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// Reads a job file.
///
/// # Errors
///
/// Everything that is wrong, each with its line, its key and what would be right. If the text is no
/// TOML, only that is told. No value of `env` is repeated.
pub fn parse(text: &str) -> Result<JobFile, BadJobFile> {
    let whole = |why: String| FileProblem {
        line: 1,
        column: 1,
        key: None,
        why,
    };
    if text.len() > LARGEST_FILE {
        let why = format!("the file has more than {LARGEST_FILE} bytes, which is the limit");
        return Err(BadJobFile {
            problems: vec![whole(why)],
        });
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let told = errors.iter().map(|error| {
            // Its message says what was expected; only its display form shows the line.
            let why = format!("this is not TOML: {}", error.message());
            at(text, error.span().unwrap_or_default(), None, why)
        });
        return Err(bad(told.collect()));
    }
    let mut reader = Reader::new(text);
    let file = read::job(&mut reader, table.get_ref());
    let Reader {
        mut problems,
        places,
        ..
    } = reader;
    let found = check::all(&file.spec, check::Given::by(&file, problems.is_empty()));
    problems.extend(
        found
            .into_iter()
            .map(|problem| locate(text, &places, problem)),
    );
    if problems.is_empty() {
        Ok(file)
    } else {
        Err(bad(problems))
    }
}

fn bad(mut problems: Vec<FileProblem>) -> BadJobFile {
    problems.sort_by_key(|problem| (problem.line, problem.column));
    problems.dedup();
    BadJobFile { problems }
}

/// A problem of the specification, where it stands in the file.
fn locate(text: &str, places: &Places, problem: Problem) -> FileProblem {
    let Problem {
        key,
        why,
        hidden_key,
        at: offset,
    } = problem;
    let start = places.of(
        text,
        hidden_key.as_ref().map_or(&key, |hidden| &hidden.0),
        offset,
    );
    at(text, start..start, Some(key), why)
}

fn at(text: &str, span: Range<usize>, key: Option<String>, why: String) -> FileProblem {
    let (line, column) = place::line_and_column(text, span.start);
    FileProblem {
        line,
        column,
        key,
        why,
    }
}
