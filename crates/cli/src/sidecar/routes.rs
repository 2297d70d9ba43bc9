//! What the application asks, and who may ask.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, ORIGIN};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::run::records_api::{self, Desk, Problem, Role, same};
use crate::status_server::Readiness;

#[derive(Clone)]
struct Shared {
    desk: Arc<Desk>,
    readiness: Readiness,
    /// What `Authorization` must be.
    expected: Option<Arc<str>>,
}

pub(super) fn routes(desk: Arc<Desk>, readiness: Readiness, token: Option<String>) -> Router {
    let shared = Shared {
        desk: Arc::clone(&desk),
        readiness,
        expected: token.map(|token| format!("Bearer {token}").into()),
    };
    Router::new()
        .route("/", get(who))
        .route("/healthz", get(async || Json(json!({ "status": "alive" }))))
        .route("/readyz", get(ready))
        .route("/leaderz", get(leads))
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .with_state(shared.clone())
        .merge(records_api::routes(desk))
        .layer(from_fn_with_state(shared, may_ask))
}

/// Who leads, in the shape that users of Kubernetes' leader-elector know, and what they had to ask
/// elsewhere.
async fn who(State(shared): State<Shared>) -> Json<Value> {
    Json(report(&shared))
}

fn report(shared: &Shared) -> Value {
    let role = shared.desk.board.view();
    let leads = role.role == Role::Leader;
    let view = shared.desk.leader();
    let (name, epoch) = match (&view, leads) {
        // This node knows it before it has read it back from the store.
        (_, true) => (shared.desk.holder(), role.epoch),
        (Some(leader), false) => (leader.holder.to_string(), Some(leader.epoch)),
        (None, false) => (String::new(), None),
    };
    json!({ "name": name, "leads": leads, "epoch": epoch, "self": shared.desk.holder() })
}

async fn ready(State(shared): State<Shared>) -> Response {
    let (is_ready, report) = (shared.readiness)();
    answer(is_ready, report)
}

async fn leads(State(shared): State<Shared>) -> Response {
    let report = report(&shared);
    answer(report["leads"] == true, report)
}

fn answer(is_good: bool, report: Value) -> Response {
    let status = match is_good {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(report)).into_response()
}

/// A page in a browser must not steer the application, and any user of the machine reaches
/// loopback.
async fn may_ask(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if request.headers().contains_key(ORIGIN) && request.method() != Method::GET {
        return Problem::forbidden("requests of browsers are refused").into_response();
    }
    match &shared.expected {
        _ if !path.starts_with("/v1/") => {}
        None if path.starts_with("/v1/records") => {
            let why = "records need a token: start the sidecar with --token-file FILE, and send Authorization: Bearer";
            return Problem::forbidden(why).into_response();
        }
        None => {}
        Some(expected) => {
            let given = request.headers().get(AUTHORIZATION);
            let given = given.map_or(&[][..], |value| value.as_bytes());
            if !same(given, expected.as_bytes()) {
                let token = "TOKEN, which is in the file that --token-file names to the sidecar";
                return Problem::unauthorized(token).into_response();
            }
        }
    }
    next.run(request).await
}
