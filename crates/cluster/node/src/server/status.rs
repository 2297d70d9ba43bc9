//! What a process says of itself: `/metrics`, `/healthz`, `/readyz`.

use std::sync::Arc;

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

/// Metrics that are not among those of the recorder.
pub(super) type MoreMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// The metrics of this process.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) own: PrometheusHandle,
    pub(super) more: Option<MoreMetrics>,
}

impl Shown {
    fn render(&self) -> String {
        let mut text = self.own.render();
        if let Some(more) = &self.more {
            text.push_str(&more());
        }
        text
    }
}

pub(super) fn routes(metrics: Shown, readiness: Readiness) -> Router {
    let exposed =
        async |State(metrics): State<Shown>| ([(header::CONTENT_TYPE, TEXT)], metrics.render());
    Router::new()
        .route("/metrics", get(exposed))
        .with_state(metrics)
        .route("/healthz", get(async || Json(json!({ "status": "alive" }))))
        .route("/readyz", get(ready).with_state(readiness))
}

/// The metrics for other nodes.
pub(super) fn of_nodes(metrics: Shown) -> Router {
    let exposed = async |State(metrics): State<Shown>| metrics.render();
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
