//! `GET /v1/events`: lines of JSON, for as long as the reader stays.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::Stream;
use tokio::sync::watch;

use super::TaskContract;
use super::problems::not_checkpointing;
use super::standing::{Standing, Told};
use crate::api::Problem;

/// Lines of JSON.
pub(super) const NDJSON: &str = "application/x-ndjson";

pub(super) async fn events(State(contract): State<Arc<TaskContract>>) -> Result<Response, Problem> {
    if !contract.is_checkpointing() {
        return Err(not_checkpointing());
    }
    let lines = Body::from_stream(lines(contract.standing.subscribe()));
    Ok(([(CONTENT_TYPE, NDJSON)], lines).into_response())
}

/// What stands, and then what changes. It ends with `stop`, or with the task.
fn lines(
    mut standing: watch::Receiver<Standing>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    standing.mark_changed();
    let state = (standing, Told::default());
    futures::stream::unfold(state, async |(mut standing, mut told)| {
        loop {
            if told.is_all() {
                return None;
            }
            standing.changed().await.ok()?;
            let news = told.news(&standing.borrow_and_update());
            if news.is_empty() {
                continue;
            }
            let mut lines = Vec::new();
            for event in news {
                serde_json::to_writer(&mut lines, &event).expect("a word and a number are JSON");
                lines.push(b'\n');
            }
            return Some((Ok(lines.into()), (standing, told)));
        }
    })
}
