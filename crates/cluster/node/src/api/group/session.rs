//! Logging in and out: `/v1/session`. The page sends the token once, and gets a cookie that no
//! script can read.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OfGroup;
use crate::api::body;
use crate::api::problem::Problem;
use crate::security::{LONGEST_TOKEN, SESSION_TIME, now};

/// Logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    /// The token that the nodes were started with.
    token: String,
}

/// A session that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// When it ends.
    pub until: String,
}

pub(super) async fn log_in(
    State(of): State<Arc<OfGroup>>,
    body: Body,
) -> Result<Response, Problem> {
    let body = body::whole(body, 2 * LONGEST_TOKEN, "the token").await?;
    // Without what is wrong with it: that could repeat a part of the token.
    let given: LogIn = serde_json::from_slice(&body)
        .map_err(|_| Problem::bad_request("This is not {\"token\": \"…\"} as JSON."))?;
    let Some(token) = of.access.token() else {
        return Err(Problem::conflict(
            "This node asks for no token, so there is nothing to log in to.",
        ));
    };
    if !token.is(given.token.trim()) {
        return Err(Problem::unauthorized());
    }
    let until = now() + SESSION_TIME;
    let value = format!("{}={}", token.cookie(), token.session(until));
    let until = humantime::format_rfc3339_seconds(until).to_string();
    let cookie = cookie(&value, SESSION_TIME.as_secs(), of.is_tls);
    Ok((cookie, Json(Session { until })).into_response())
}

/// Only a browser that has the cookie learns its name, which is made of the token: others could try
/// tokens on it.
pub(super) async fn log_out(State(of): State<Arc<OfGroup>>, headers: HeaderMap) -> Response {
    let token = (of.access.token()).filter(|token| token.has_cookie(&headers));
    let gone = token.map(|token| cookie(&format!("{}=", token.cookie()), 0, of.is_tls));
    (StatusCode::NO_CONTENT, gone.unwrap_or_default()).into_response()
}

/// No script reads it, and no other site sends it.
fn cookie(pair: &str, seconds: u64, is_tls: bool) -> HeaderMap {
    let secure = if is_tls { "; Secure" } else { "" };
    let line = format!("{pair}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let line = HeaderValue::try_from(line).expect("digits, letters and punctuation");
    HeaderMap::from_iter([(SET_COOKIE, line)])
}
