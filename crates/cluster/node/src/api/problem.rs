//! [`Problem`]: every answer of `/v1` that is no success (RFC 9457).
//!
//! ```json
//! {"type":"urn:incumbent:problem:bad-job","title":"The job cannot be run as it is","status":422,
//!  "detail":"…","errors":[{"field":"tasks","message":"must be 1 to 1000"}]}
//! ```

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use incumbent_cluster_blobs as blobs;
use incumbent_gateway::RETRY_AFTER_SECONDS;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The type of a body that is a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The longest detail, in bytes. Some of it may repeat what a client sent.
const LONGEST_DETAIL: usize = 4096;

/// What went wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:incumbent:problem:` and a name that does not change.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is, in a few words.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What happened, to what, and what to do.
    pub detail: String,
    /// What is wrong with which field, if it is about what was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Whether something may have been done all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processed: Option<Processed>,
}

/// Whether a request that failed was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Processed {
    /// It was not.
    No,
    /// It may have been.
    Unknown,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Which, as in `env.PATH` or `command[0]`.
    pub field: String,
    /// What is wrong, and what is right.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        name: &str,
        title: &str,
        detail: impl Into<String>,
    ) -> Self {
        let mut detail = detail.into();
        detail.truncate(detail.floor_char_boundary(LONGEST_DETAIL));
        Self {
            kind: format!("urn:incumbent:problem:{name}"),
            title: title.into(),
            status: status.as_u16(),
            detail,
            errors: Vec::new(),
            processed: None,
        }
    }

    /// The name, without what all names begin with.
    pub fn name(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }

    /// Whether what was asked has not answered, and may do so later. All else is an answer.
    pub(crate) fn is_outage(&self) -> bool {
        self.status >= 502
    }

    pub(crate) fn with_errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.errors = errors;
        self
    }

    fn having_processed(mut self, processed: Processed) -> Self {
        self.processed = Some(processed);
        self
    }

    /// 403: the name of this node is not one of this machine's.
    pub(crate) fn foreign_host(host: &str) -> Self {
        let detail = format!(
            "The request names the host {host:?}. Without a token this node answers only under localhost, \
             127.0.0.1 and [::1], so that no page in a browser can reach it under a name of its own. Use \
             one of these, or give all nodes a token."
        );
        Self::new(
            StatusCode::FORBIDDEN,
            "foreign-host",
            "Not under this name",
            detail,
        )
    }

    /// 403: a page of somebody else asks.
    pub(crate) fn foreign_page() -> Self {
        let detail = "The request comes from a page that is not this node's (by Origin or Sec-Fetch-Site). \
                      Submitting a job is running a program, so only this node's own pages and programs \
                      that are no browsers may change something. Use the command line.";
        Self::new(
            StatusCode::FORBIDDEN,
            "foreign-page",
            "Not from this page",
            detail,
        )
    }

    /// 401: no token, or a wrong one.
    pub(crate) fn unauthorized() -> Self {
        let detail = "A bearer token is needed: Authorization: Bearer TOKEN. It is the one that the nodes were \
                      started with (--token-file, or INCUMBENT_TOKEN_FILE).";
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Not allowed",
            detail,
        )
    }

    /// 404.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such thing",
            detail,
        )
    }

    /// 400: the request cannot be understood.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "The request is malformed",
            detail,
        )
    }

    /// 409: not as things stand.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "conflict",
            "Not as things stand",
            detail,
        )
    }

    /// 413.
    pub(crate) fn too_large(what: &str, limit: u64, advice: &str) -> Self {
        let detail = format!("{what} has more than {limit} bytes, which is the limit. {advice}");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "Too large",
            detail,
        )
    }

    /// 408: the body stopped coming.
    pub(crate) fn body_late() -> Self {
        let detail =
            "The body of the request did not arrive in time. Nothing was kept; send it again.";
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "body-late",
            "The body did not arrive",
            detail,
        )
    }

    /// 503: try again.
    pub(crate) fn unavailable(name: &str, title: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, name, title, detail)
            .having_processed(Processed::No)
    }

    /// 503: it may have been done.
    pub(crate) fn unknown(detail: impl Into<String>) -> Self {
        let title = "It may or may not have been done";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unknown", title, detail)
            .having_processed(Processed::Unknown)
    }

    /// 500: a record that cannot be read.
    pub(crate) fn damaged(detail: impl Into<String>) -> Self {
        let title = "A record is damaged";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", title, detail)
    }

    /// 503: as many as may be.
    pub(crate) fn too_many(what: &str, limit: usize) -> Self {
        let detail = format!(
            "{limit} {what} are under way on this node, which is the limit. Try again, or ask another node."
        );
        Self::unavailable("too-many", "Too many at a time", detail)
    }

    /// 502: the node that has it was asked in vain.
    pub(crate) fn node_unreached(detail: impl Into<String>) -> Self {
        let title = "The node that has it does not answer";
        Self::new(StatusCode::BAD_GATEWAY, "node-unreached", title, detail)
    }

    /// The store did not do what it should with the record of a job.
    pub(crate) fn of_store(error: &incumbent::Error, what: &str) -> Self {
        let of_tasks = [" Its tasks are left alone.", " Running tasks go on."];
        Self::of_record(error, what, of_tasks)
    }

    /// The store did not do what it should for a group. Nothing is said of tasks: an application
    /// has none.
    pub(crate) fn of_group(error: &incumbent::Error, what: &str) -> Self {
        Self::of_record(error, what, ["", ""])
    }

    fn of_record(error: &incumbent::Error, what: &str, of_tasks: [&str; 2]) -> Self {
        let [if_damaged, if_unreached] = of_tasks;
        let chain = chain(error);
        match error {
            incumbent::Error::Damaged { .. } | incumbent::Error::WrongType { .. } => {
                Self::damaged(format!(
                    "{what} cannot be understood: {chain}.{if_damaged} `incumbent records` shows it; \
                     a person has to repair it."
                ))
            }
            incumbent::Error::TooLarge { limit, .. } => {
                Self::too_large(what, *limit as u64, "Make it smaller.")
            }
            incumbent::Error::Unknown { .. } => Self::unknown(format!(
                "The store did not answer whether {what} was written: {chain}. Send the same request again."
            )),
            _ => Self::unavailable(
                "store-unavailable",
                "The store does not answer",
                format!("{what} was not reached: {chain}.{if_unreached} Try again."),
            ),
        }
    }

    /// The blobs did not do what they should.
    pub(crate) fn of_blobs(error: &blobs::Error) -> Self {
        let chain = chain(error);
        let (status, name, title, advice) = match error {
            blobs::Error::NotFound { .. } => (404, "not-found", "There is no such thing", ""),
            blobs::Error::TooLarge { .. } => (413, "too-large", "Too large", " Nothing was kept."),
            blobs::Error::Damaged { .. } => (
                422,
                "other-content",
                "The content is not what its digest says",
                " Nothing was kept. It was altered on the way, or the file changed since its digest was taken: upload it again.",
            ),
            blobs::Error::Full { .. } => (
                507,
                "blobs-full",
                "The blobs are full",
                " Nothing was kept. Make room there, then try again.",
            ),
            blobs::Error::Denied { .. } => (
                503,
                "blobs-denied",
                "The blobs are closed to this node",
                " Let the user of the nodes read and write there, then try again.",
            ),
            blobs::Error::Sender { .. } => (
                400,
                "broken-off",
                "The upload broke off",
                " Nothing was kept. Upload it again.",
            ),
            blobs::Error::OtherVersion { .. } => (
                409,
                "other-version",
                "Another version of this program wrote it",
                " Read it with that version, or a later one.",
            ),
            blobs::Error::Name { .. } => (400, "bad-request", "The request is malformed", ""),
            _ => (
                503,
                "blobs-unavailable",
                "The blobs do not answer",
                " Check that their place is there (--blobs), then try again.",
            ),
        };
        let status = StatusCode::from_u16(status).expect("a status has three digits");
        Self::new(status, name, title, format!("{}.{advice}", capital(&chain)))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("texts and numbers are JSON");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_tasks_is_said_only_what_there_is() {
        let away = incumbent::Error::Unavailable("no answer within 5 s".into());
        let of_job = Problem::of_store(&away, "the job x");
        assert!(of_job.detail.contains("tasks go on"), "{}", of_job.detail);
        let of_group = Problem::of_group(&away, "the list of records");
        assert!(!of_group.detail.contains("tasks"), "{}", of_group.detail);
        assert_eq!((of_job.status, of_group.status), (503, 503));
    }

    #[test]
    fn what_is_wrong_with_the_blobs_has_an_answer_of_its_own() {
        let (at, why) = ("file:///blobs".to_owned(), "storing an artifact".to_owned());
        let source = || Box::new(std::io::Error::other("the system says so"));
        let full = blobs::Error::Full {
            at: at.clone(),
            why: why.clone(),
            source: source(),
        };
        let denied = blobs::Error::Denied {
            at: at.clone(),
            why: why.clone(),
            source: source(),
        };
        let gone = blobs::Error::Unavailable {
            at,
            why,
            source: None,
        };
        for (error, status, advice) in [
            (full, 507, "Make room"),
            (denied, 503, "read and write there"),
            (gone, 503, "--blobs"),
        ] {
            let problem = Problem::of_blobs(&error);
            assert_eq!(problem.status, status);
            assert!(problem.detail.contains(advice), "{}", problem.detail);
            assert!(
                problem.detail.contains("file:///blobs"),
                "{}",
                problem.detail
            );
        }
    }
}
