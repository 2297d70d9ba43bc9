//! `GET /v1/queries` and `POST /v1/queries/{id}`: a task reads queries of its state and answers
//! them.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::events::NDJSON;
use super::queries::{LARGEST_QUERY_ANSWER, Unanswered};
use super::{TaskContract, problems};
use crate::api::{Problem, whole};
use crate::query::{Question, RankAnswer};

/// A query, as a line of JSON.
#[derive(Serialize, ToSchema)]
pub(super) struct QueryLine {
    /// What to answer it under.
    id: String,
    #[serde(flatten)]
    question: Question,
}

pub(super) async fn lines(State(contract): State<Arc<TaskContract>>) -> Response {
    let (reader, changed) = contract.queries.new_reader();
    let state = (contract, changed, reader);
    let lines = futures::stream::unfold(state, async |(contract, mut changed, reader)| {
        loop {
            changed.changed().await.ok()?;
            let lines = contract.queries.unread(reader)?;
            if !lines.is_empty() {
                return Some((
                    Ok::<_, Infallible>(Bytes::from(lines)),
                    (contract, changed, reader),
                ));
            }
        }
    });
    ([(CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response()
}

pub(super) async fn answer(
    State(contract): State<Arc<TaskContract>>,
    Path(id): Path<String>,
    body: Body,
) -> Result<StatusCode, Problem> {
    let bytes = match whole(body, LARGEST_QUERY_ANSWER, "The answer").await {
        Ok(bytes) => bytes,
        Err(problem) => {
            if problem.status == StatusCode::PAYLOAD_TOO_LARGE.as_u16() {
                contract.queries.answer(&id, Err(Unanswered::TooLarge));
            }
            return Err(problem);
        }
    };
    let answer = serde_json::from_slice::<RankAnswer>(&bytes).map_err(|error| {
        // The node that asked is told as well: nothing better will come.
        let bad = Unanswered::BadAnswer(error.to_string());
        contract.queries.answer(&id, Err(bad));
        Problem::bad_request(format!("The answer cannot be read: {error}."))
    })?;
    match contract.queries.answer(&id, Ok(answer)) {
        true => Ok(StatusCode::OK),
        false => Err(problems::no_such_query()),
    }
}
