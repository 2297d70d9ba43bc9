//! Errors as `application/problem+json` (RFC 9457). The title says what the caller does next.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use incumbent::backend::causes;
use incumbent::{Epoch, Error};
use serde_json::{Value, json};

use super::role::RoleView;

/// Longest body of a request: more than any store takes, so that the answer names the store's own
/// limit.
pub(super) const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// The header by which a request says in which term it is to be done.
pub(super) const EPOCH_HEADER: &str = "Incumbent-Epoch";

/// The media type of an error.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// An error, as an answer.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    /// The last part of its type, the one to branch on.
    kind: &'static str,
    title: &'static str,
    detail: String,
    more: Value,
}

impl Problem {
    fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            title,
            detail: detail.into(),
            more: Value::Null,
        }
    }

    pub(super) fn over(epoch: Epoch) -> Self {
        Error::Fenced {
            ours: epoch,
            current: None,
        }
        .into()
    }

    /// The request is for a later term than that of this node.
    pub(super) fn not_begun(said: Epoch, ours: Epoch) -> Self {
        let detail = format!(
            "the request is for epoch {said}, and this node leads in epoch {ours}; nothing was done: send the epoch that GET \
             /v1/term says, or ask the node that leads in epoch {said}"
        );
        Self {
            more: json!({ "epoch": said, "current": ours }),
            ..Self::new(
                StatusCode::CONFLICT,
                "fenced",
                "Stop: another node leads, or may",
                detail,
            )
        }
    }

    /// The command stands by.
    pub(crate) fn not_leading() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "not-leading",
            "Stand by: this node does not lead",
            "this node stands by; GET /v1/role says when it leads",
        )
    }

    pub(super) fn not_asked(number: u64, view: &RoleView) -> Self {
        let detail = format!(
            "nobody waits for the acknowledgement of number {number}: it came too late, or the command was not asked to \
             step down"
        );
        Self {
            more: json!({ "role": view.role, "number": view.number }),
            ..Self::new(
                StatusCode::CONFLICT,
                "not-asked",
                "Look at the role, and do what it says",
                detail,
            )
        }
    }

    /// In a command that outlives terms, "must not exist" says nothing of the term it was meant
    /// for.
    pub(super) fn epoch_required(name: &str) -> Self {
        let detail = format!(
            "to create {name} with If-None-Match, say in which term: {EPOCH_HEADER} with the epoch of the role; or open it and \
             send If-Match"
        );
        Self::new(
            StatusCode::PRECONDITION_REQUIRED,
            "precondition-required",
            "Say in which term",
            detail,
        )
    }

    /// What this server does not offer.
    pub(crate) fn forbidden(detail: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Ask in another way",
            detail,
        )
    }

    pub(super) fn too_late() -> Self {
        let detail = "the command of this term was ended before the answer";
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "unknown",
            "The write may have happened: open the record again before deciding anything",
            detail,
        )
    }

    pub(super) fn too_many_open(limit: usize) -> Self {
        let detail = format!("this term has {limit} records open, which is the limit");
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "too-many-open",
            "Use fewer records",
            detail,
        )
    }

    /// `token` says where the caller has it from.
    pub(crate) fn unauthorized(token: &str) -> Self {
        let detail = format!("send the header Authorization: Bearer {token}");
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "The token is missing or wrong",
            detail,
        )
    }

    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "Correct the request",
            detail,
        )
    }

    /// A request that the HTTP framework refuses.
    pub(super) fn rejected(status: StatusCode, detail: &str) -> Self {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Self {
                more: json!({ "limit": LARGEST_BODY }),
                ..Self::new(
                    status,
                    "too-large",
                    "Split the record, or store a pointer",
                    format!("{detail}; nothing was written"),
                )
            },
            _ => Self::new(status, "bad-request", "Correct the request", detail),
        }
    }

    pub(super) fn no_such_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-such-path",
            "Correct the path",
            "GET /openapi.json lists what there is",
        )
    }

    /// The path exists. Which methods it has is in the header `Allow`.
    pub(crate) fn wrong_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "wrong-method",
            "Correct the method",
            "the header Allow lists the methods of this path",
        )
    }

    pub(super) fn not_found(name: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such record",
            format!("{name} does not exist"),
        )
    }

    pub(super) fn precondition_required(name: &str) -> Self {
        let detail = format!(
            "a write to {name} must say what it expects: If-Match with the ETag of the last answer, or If-None-Match: * if the \
             record must not exist"
        );
        Self::new(
            StatusCode::PRECONDITION_REQUIRED,
            "precondition-required",
            "Open the record first",
            detail,
        )
    }

    pub(super) fn changed(name: &str) -> Self {
        let detail =
            format!("{name} is not what If-Match or If-None-Match expects; nothing was written");
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "conflict",
            "Open the record again and decide anew",
            detail,
        )
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = causes(&error);
        match error {
            Error::Fenced { ours, current } => Self {
                more: json!({ "epoch": ours, "current": current }),
                ..Self::new(
                    StatusCode::CONFLICT,
                    "fenced",
                    "Stop: another node leads, or may",
                    detail,
                )
            },
            Error::Conflict { .. } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "conflict",
                "Open the record again and decide anew",
                detail,
            ),
            Error::TooLarge { size, limit, .. } => Self {
                more: json!({ "size": size, "limit": limit }),
                ..Self::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "too-large",
                    "Split the record, or store a pointer",
                    detail,
                )
            },
            Error::Unknown { .. } => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "unknown",
                "The write may have happened: open the record again before deciding anything",
                detail,
            ),
            Error::Unavailable(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Nothing was written: try again later",
                detail,
            ),
            _ => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "damaged",
                "Look at what is stored",
                detail,
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:incumbent:problem:{}", self.kind),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, self.more) {
            body.extend(more);
        }
        (
            self.status,
            [(header::CONTENT_TYPE, CONTENT_TYPE)],
            body.to_string(),
        )
            .into_response()
    }
}
