//! Requests that the library below refuses before the gateway sees them: [`Refusal`].
//!
//! hyper answers them with a bare status and closes the connection. This tells the access log and
//! the metrics what is known of them.

use http::StatusCode;

use crate::request::client::Peer;
use crate::request::report;

/// A request that hyper refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    why: &'static str,
}

impl Refusal {
    /// The refusal that ended a connection with this error, if one did. `has_begun` tells whether a
    /// part of a request had come.
    pub(super) fn of(
        error: &(dyn std::error::Error + Send + Sync + 'static),
        has_begun: bool,
    ) -> Option<Self> {
        let error = error.downcast_ref::<hyper::Error>()?;
        let (status, why) = if error.is_parse_version_h2() {
            return None;
        } else if error.is_parse_too_large() && error.to_string().contains("URI") {
            (StatusCode::URI_TOO_LONG, "target-too-long")
        } else if error.is_parse_too_large() {
            (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head-too-large",
            )
        } else if error.is_parse() {
            (StatusCode::BAD_REQUEST, "malformed")
        } else if error.is_timeout() && has_begun {
            // The connection is closed without an answer.
            (StatusCode::REQUEST_TIMEOUT, "head-late")
        } else {
            return None;
        };
        Some(Self { status, why })
    }

    /// Tells the access log and the metrics.
    pub(super) fn report(self, peer: &Peer) {
        report::refused(peer, self.status, self.why);
    }
}
