//! [`Failure`]: an answer that is no success, in Flink's form: `{"errors": [TEXT, …]}`.
//!
//! Flink's client takes a body with this one field for an error, and asks again after 503.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use incumbent_gateway::RETRY_AFTER_SECONDS;
use serde::Deserialize;
use serde_json::{Value, json};

/// The type of all bodies of JSON, as Flink writes it.
pub(crate) const JSON: &str = "application/json; charset=UTF-8";

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

/// A success, in Flink's form.
pub(crate) struct Reply(StatusCode, Value);

pub(crate) type Answer = Result<Reply, Failure>;

/// What `/v1` says of a request that it has not done.
#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    errors: Vec<FieldProblem>,
}

#[derive(Debug, Deserialize)]
struct FieldProblem {
    field: String,
    message: String,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// As Flink says it of a path that it does not have, or not with this method.
    pub(crate) fn no_path(path: &str) -> Self {
        Self::not_found(format!("Not found: {path}"))
    }

    /// As Flink says it of a path with something in it that is no id.
    pub(crate) fn bad_id(parameter: &str, value: &str) -> Self {
        Self::bad_request(format!(
            "Bad request, could not parse parameters: Cannot resolve path parameter ({parameter}) from value \"{value}\"."
        ))
    }

    /// What `/v1` has answered with this status.
    pub(crate) fn of_v1(status: StatusCode, body: &[u8]) -> Self {
        let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
            let text = String::from_utf8_lossy(&body[..body.len().min(1000)]);
            return Self::new(status, format!("{status}: {text}"));
        };
        let mut message = problem.detail;
        for wrong in problem.errors {
            let said = format!("{}: {}", wrong.field, wrong.message);
            // Most details end with what is wrong first.
            if !message.contains(&said) {
                message.push_str(&format!(" {said}."));
            }
        }
        if problem.kind.ends_with(":no-leader") {
            // Flink's own words, which some scripts look for.
            message = format!(
                "Service temporarily unavailable due to an ongoing leader election. Please refresh. {message}"
            );
        }
        Self::new(status, message)
    }
}

/// 200.
pub(crate) fn ok(body: Value) -> Answer {
    Ok(Reply(StatusCode::OK, body))
}

/// 202, for what goes on after the answer.
pub(crate) fn accepted(body: Value) -> Answer {
    Ok(Reply(StatusCode::ACCEPTED, body))
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = (self.0, self.1.to_string()).into_response();
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "errors": [self.message] });
        let mut response = Reply(self.status, body).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_v1_is_an_error_of_flink() {
        let problem = json!({
            "type": "urn:incumbent:problem:bad-job", "title": "t", "status": 422, "detail": "It cannot run.",
            "errors": [{ "field": "tasks", "message": "must be 1 to 1000" }],
        });
        let failure = Failure::of_v1(
            StatusCode::UNPROCESSABLE_ENTITY,
            problem.to_string().as_bytes(),
        );
        assert_eq!(failure.status, 422);
        assert_eq!(failure.message, "It cannot run. tasks: must be 1 to 1000.");
        let failure = Failure::of_v1(StatusCode::BAD_GATEWAY, b"<html>");
        assert!(failure.message.contains("<html>"));
        let problem =
            json!({ "type": "urn:incumbent:problem:no-leader", "detail": "Nobody leads." });
        let failure = Failure::of_v1(
            StatusCode::SERVICE_UNAVAILABLE,
            problem.to_string().as_bytes(),
        );
        assert!(failure.message.contains("ongoing leader election"));
        assert_eq!(failure.into_response().headers()["retry-after"], "1");
    }
}
