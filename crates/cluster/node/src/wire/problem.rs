//! [`Problem`]: an error as HTTP says it (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

/// The kind of refusal that a node gets whose token is not the leader's.
pub(crate) const OTHER_TOKEN: &str = "other-token";

/// An answer that is an error, as `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of problem it is, for programs.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status.
    pub status: u16,
    /// What happened, in a few words.
    pub title: String,
    /// What happened to what, why, and what to do.
    #[serde(default)]
    pub detail: String,
}

impl Problem {
    /// A problem of this kind, a word such as `not-leading`.
    pub fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:incumbent:{kind}"),
            status: status.as_u16(),
            title: title.to_owned(),
            detail: detail.into(),
        }
    }

    /// Whether it is of this kind.
    pub fn is(&self, kind: &str) -> bool {
        self.kind.strip_prefix("urn:incumbent:") == Some(kind)
    }

    /// 404 for what no node has.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "not found", detail)
    }

    /// 421: ask the leader, which is somebody else.
    pub fn not_leading() -> Self {
        let detail = "this node does not lead; look who does, and ask that node";
        let status = StatusCode::MISDIRECTED_REQUEST;
        Self::new(status, "not-leading", "not leading", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("texts and a number are JSON");
        let mut response = (status, body).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}
