//! How a log is written: as text, or as server-sent events.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::response::Response;
use incumbent_cluster_core::Rank;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::follow::Telling;
use super::position::Position;
use super::rank::Told;
use crate::api::types::{LogEnd, LogLine};
use crate::server::Ending;

/// How often a client hears that the connection is well while there are no lines.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

const READ: &str = "incumbent_cluster_logs_read";

/// How lines are written.
pub(super) enum Form {
    /// Lines, with their rank if there are several.
    Text {
        has_ranks: bool,
    },
    Events(Position),
}

/// An answer that goes on.
pub(super) struct Writer {
    pub(super) telling: Telling,
    pub(super) form: Form,
    /// The ranks, in the order of the position.
    pub(super) ranks: Vec<Rank>,
    /// When the node shuts down, the answer breaks off: the client goes on at another node.
    pub(super) ending: Option<Ending>,
    /// Held as long as it goes on.
    pub(super) _permit: OwnedSemaphorePermit,
    pub(super) _counted: Counted,
}

/// An answer that goes on, as the metrics count it.
pub(super) struct Counted;

impl Counted {
    pub(super) fn new() -> Self {
        metrics::describe_gauge!(READ, "Logs that are being read through this node.");
        metrics::gauge!(READ).increment(1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!(READ).decrement(1);
    }
}

impl Writer {
    pub(super) fn into_response(self) -> Response {
        let kind = match self.form {
            Form::Text { .. } => "text/plain; charset=utf-8",
            Form::Events(_) => "text/event-stream",
        };
        let stream = futures::stream::unfold(Some(self), |writer| async {
            let mut writer = writer?;
            match writer.next().await {
                Ok((bytes, false)) => Some((Ok(bytes), Some(writer))),
                Ok((bytes, true)) => Some((Ok(bytes), None)),
                Err(error) => Some((Err(error), None)),
            }
        });
        let mut response = Response::new(Body::from_stream(stream));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // Proxies in front pass it on at once.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        response
    }

    /// What to write next, and whether it is the last.
    async fn next(&mut self) -> io::Result<(Bytes, bool)> {
        let ending = async {
            match &mut self.ending {
                Some(ending) => ending.begun().await,
                None => std::future::pending().await,
            }
        };
        let told = tokio::select! {
            told = self.telling.next() => told,
            () = ending => return Err(io::Error::other("the node shuts down")),
            () = tokio::time::sleep(KEEP_ALIVE), if matches!(self.form, Form::Events(_)) => {
                return Ok((Bytes::from_static(b":\n\n"), false));
            }
        };
        if told.is_empty() {
            return Err(io::Error::other("the reading of the log has ended"));
        }
        let mut text = String::new();
        let mut is_last = false;
        for told in told {
            is_last = matches!(told, Told::End(_));
            self.write(told, &mut text);
        }
        Ok((text.into(), is_last))
    }

    fn write(&mut self, told: Told, text: &mut String) {
        match &mut self.form {
            Form::Text { has_ranks } => {
                let (task, line) = match &told {
                    Told::Line(task, line) => (task, &line.text[..]),
                    Told::Note(task, note) => (task, &note[..]),
                    Told::End(_) => return,
                };
                let mark = if matches!(told, Told::Note(..)) {
                    "incumbent: "
                } else {
                    ""
                };
                if *has_ranks {
                    text.push_str(&format!("[{}] ", task.rank));
                }
                text.extend([mark, line, "\n"]);
            }
            Form::Events(position) => match told {
                Told::Line(task, line) => {
                    let index = self.ranks.iter().position(|&rank| rank == task.rank);
                    position.read(task.attempt, index.unwrap_or(usize::MAX), line.end);
                    let line = LogLine {
                        rank: task.rank.0,
                        attempt: task.attempt.0,
                        line: line.text,
                    };
                    let data = serde_json::to_string(&line).unwrap_or_default();
                    text.push_str(&format!("id: {position}\ndata: {data}\n\n"));
                }
                Told::Note(task, note) => {
                    let data = json!({ "rank": task.rank, "attempt": task.attempt, "note": note });
                    text.push_str(&format!("event: note\ndata: {data}\n\n"));
                }
                Told::End(state) => {
                    let data = serde_json::to_string(&LogEnd { state }).unwrap_or_default();
                    text.push_str(&format!("event: end\ndata: {data}\n\n"));
                }
            },
        }
    }
}
