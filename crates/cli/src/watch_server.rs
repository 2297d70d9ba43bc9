//! `/metrics`, `/healthz` and `/readyz` of a running node, when asked for.

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use incumbent::Group;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::json;

use crate::exit::Failure;
use crate::show;

/// Bounds of the histograms, in seconds: from a file's swap to a lease.
const BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Ends the server when dropped.
pub(crate) struct WatchServer(tokio::task::JoinHandle<()>);

#[derive(Clone)]
struct Shared {
    group: Group,
    metrics: PrometheusHandle,
    /// The backend has to have answered within this time.
    patience: std::time::Duration,
}

pub(crate) async fn start(listen: SocketAddr, group: Group) -> Result<WatchServer, Failure> {
    let failed = |cause: &dyn std::fmt::Display| {
        Failure::new(format!("cannot serve metrics on {listen}: {cause}"))
    };
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)
        .map_err(|error| failed(&error))?;
    let metrics = builder.install_recorder().map_err(|error| failed(&error))?;
    describe();
    // The group could not say so yet, as nothing was counting when it began.
    metrics::gauge!("incumbent_role", "group" => group.name().to_string()).set(0.0);
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| failed(&error))?;
    let address = listener.local_addr().map_err(|error| failed(&error))?;
    tracing::info!(%address, "serving /metrics, /healthz and /readyz");
    let patience = group.timing().lease();
    let routes = Router::new()
        .route("/metrics", get(exposed))
        .route("/healthz", get(async || Json(json!({ "status": "alive" }))))
        .route("/readyz", get(readiness))
        .with_state(Shared {
            group,
            metrics,
            patience,
        });
    Ok(WatchServer(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "metrics are not served any more");
        }
    })))
}

impl Drop for WatchServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn exposed(State(shared): State<Shared>) -> Response {
    shared.metrics.run_upkeep();
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        shared.metrics.render(),
    )
        .into_response()
}

/// Ready is who leads or stands by, and is in touch with the backend.
async fn readiness(State(shared): State<Shared>) -> Response {
    let view = shared.group.observe().view();
    let silence = shared.group.silence();
    let in_touch = silence.is_some_and(|silence| silence < shared.patience);
    let leads = shared.group.is_leading();
    let role = match (in_touch, leads) {
        (false, _) => "not in touch",
        (true, true) => "leader",
        (true, false) => "standby",
    };
    let status = if in_touch {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let silent = silence.map(|silence| silence.as_secs_f64());
    (
        status,
        Json(
            json!({ "role": role, "backend_silent_seconds": silent, "leader": show::json(&view) }),
        ),
    )
        .into_response()
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_gauge!("incumbent_role", "1 while this node leads, otherwise 0");
    describe_gauge!(
        "incumbent_epoch",
        "The highest epoch that this node knows of"
    );
    describe_counter!("incumbent_terms_total", "Terms that this node has led");
    describe_counter!(
        "incumbent_root_writes_total",
        "Claims, renewals and changes of the root record, by outcome"
    );
    describe_counter!(
        "incumbent_record_writes_total",
        "Opens, commits and deletes of records, by outcome"
    );
    describe_histogram!(
        "incumbent_takeover_seconds",
        "From the moment a term could be claimed until it was held"
    );
    describe_histogram!(
        "incumbent_renewal_margin_seconds",
        "How much of the renew deadline was left when a renewal was acknowledged"
    );
}
