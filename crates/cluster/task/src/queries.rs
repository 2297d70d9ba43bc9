//! [`Queries`]: what is asked of the state of this task; [`Answer`]: what it says.

use std::io::{BufRead, BufReader};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::http::Incoming;
use crate::task::{PAUSE, Task, pause};

/// What is asked of the state of this task, in order, waiting for each. A task that reads them
/// answers queries; the newest reader is the only one.
///
/// A connection that breaks is made anew behind the scenes, and a query may come twice then. An
/// error is the last item: [`Error::Gone`].
#[derive(Debug)]
pub struct Queries {
    task: Task,
    lines: Option<BufReader<Incoming>>,
    has_ended: bool,
}

/// A query. Somebody waits for the answer, for some seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    id: String,
    /// What is asked.
    pub asked: Asked,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// The value of one key.
    Key {
        /// The name of the state.
        state: String,
        /// The key.
        key: Value,
    },
    /// Keys in the order of their JSON: null, booleans, numbers, strings, arrays, objects.
    Range {
        /// The name of the state.
        state: String,
        /// The first key, if not from the beginning.
        from: Option<Value>,
        /// The key before which it ends, if not at the end.
        to: Option<Value>,
        /// At most so many entries: the lowest keys.
        limit: usize,
    },
    /// The names of all states.
    States,
}

/// What this rank has of what was asked: at most 1 MiB as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Answer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entries: Vec<Entry>,
    is_owner: bool,
    more: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    states: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Entry {
    key: Value,
    value: Value,
}

#[derive(Deserialize)]
struct Line {
    id: String,
    #[serde(default)]
    state: String,
    /// `null` is a key, too.
    #[serde(default, deserialize_with = "present")]
    key: Option<Value>,
    range: Option<Range>,
    #[serde(default)]
    list: bool,
}

#[derive(Deserialize)]
struct Range {
    from: Option<Value>,
    to: Option<Value>,
    limit: usize,
}

fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl Answer {
    /// The value of the key that was asked for, or that it has none. `is_owner` says whether the
    /// key belongs to this rank, whether it is there or not: then no other rank is waited for. If
    /// ranks do not know whose a key is, it is whether the value is here.
    pub fn value(key: Value, value: Option<Value>, is_owner: bool) -> Self {
        let entries = value.map(|value| Entry { key, value });
        Self {
            entries: entries.into_iter().collect(),
            is_owner,
            ..Self::default()
        }
    }

    /// Keys of a range with their values, the lowest that this rank has, and whether it has more.
    pub fn range(entries: impl IntoIterator<Item = (Value, Value)>, more: bool) -> Self {
        let entries = entries.into_iter();
        Self {
            entries: entries.map(|(key, value)| Entry { key, value }).collect(),
            more,
            ..Self::default()
        }
    }

    /// The names of all states.
    pub fn states(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            states: names.into_iter().collect(),
            ..Self::default()
        }
    }

    /// There is no state of this name, but these.
    pub fn unknown_state(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            refused: Some("unknown-state"),
            ..Self::states(names)
        }
    }

    /// No key of this state can be so.
    pub fn bad_key(why: impl Into<String>) -> Self {
        Self::refused("bad-key", why)
    }

    /// It cannot be answered now.
    pub fn not_now(why: impl Into<String>) -> Self {
        Self::refused("not-now", why)
    }

    fn refused(refused: &'static str, why: impl Into<String>) -> Self {
        Self {
            refused: Some(refused),
            detail: Some(why.into()),
            ..Self::default()
        }
    }
}

impl Queries {
    pub(crate) fn new(task: Task) -> Self {
        Self {
            task,
            lines: None,
            has_ended: false,
        }
    }

    fn read(&mut self) -> Result<Query, Error> {
        loop {
            let mut line = String::new();
            let lines = match &mut self.lines {
                Some(lines) => lines,
                None => {
                    let lines = BufReader::new(self.task.get("/v1/queries")?);
                    self.lines.insert(lines)
                }
            };
            match lines.read_line(&mut line) {
                Ok(_) if line.ends_with('\n') => {
                    let known = serde_json::from_str(&line).ok().and_then(query);
                    if let Some(query) = known {
                        return Ok(query);
                    }
                }
                // What is left of a line will be asked again.
                _ => {
                    self.lines = None;
                    pause(PAUSE);
                }
            }
        }
    }
}

/// Queries of later versions are not for this one.
fn query(line: Line) -> Option<Query> {
    let Line {
        id,
        state,
        key,
        range,
        list,
    } = line;
    let asked = match (key, range) {
        (Some(key), _) => Asked::Key { state, key },
        (None, Some(Range { from, to, limit })) => Asked::Range {
            state,
            from,
            to,
            limit,
        },
        (None, None) if list => Asked::States,
        (None, None) => return None,
    };
    Some(Query { id, asked })
}

impl Query {
    /// Under which id it is answered.
    pub(crate) fn path(&self) -> String {
        format!("/v1/queries/{}", self.id)
    }
}

impl Iterator for Queries {
    type Item = Result<Query, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let query = self.read();
        self.has_ended = query.is_err();
        Some(query)
    }
}
