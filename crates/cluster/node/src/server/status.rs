//! What a process says of itself: `/metrics`, `/healthz`, `/readyz`.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;

use super::Readiness;
use crate::wire::METRICS;

/// The format of metrics for Prometheus.
pub(crate) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn routes(metrics: PrometheusHandle, readiness: Readiness) -> Router {
    let exposed = async |State(metrics): State<PrometheusHandle>| {
        ([(header::CONTENT_TYPE, TEXT)], metrics.render())
    };
    Router::new()
        .route("/metrics", get(exposed))
        .with_state(metrics)
        .route("/healthz", get(async || Json(json!({ "status": "alive" }))))
        .route("/readyz", get(ready).with_state(readiness))
}

/// The metrics for other nodes.
pub(super) fn of_nodes(metrics: PrometheusHandle) -> Router {
    let exposed = async |State(metrics): State<PrometheusHandle>| metrics.render();
    Router::new()
        .route(METRICS, get(exposed))
        .with_state(metrics)
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let (is_ready, report) = readiness();
    let status = match is_ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(report)).into_response()
}
