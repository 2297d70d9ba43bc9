//! `/metrics`, `/healthz`, `/readyz` and `/leaderz` of what runs, when asked for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use incumbent::Group;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::show;

/// Bounds of the histograms, in seconds: from a file's swap to a lease.
const BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What is worth asking for. What never leads answers `/leaderz` with 503 always.
pub(crate) const USUAL: &str = "/metrics, /healthz and /readyz";
/// The same of a node.
pub(crate) const OF_NODE: &str = "/metrics, /healthz, /readyz and /leaderz";

/// How often single values are put into the histograms. Until then each takes room, whether anybody
/// asks for metrics or not.
const UPKEEP: Duration = Duration::from_secs(5);

/// Ends the server when dropped.
pub(crate) struct WatchServer(tokio::task::JoinHandle<()>);

/// Says whether it is ready, and how it is.
pub(crate) type Readiness = Arc<dyn Fn() -> (bool, Value) + Send + Sync>;

#[derive(Clone)]
struct Shared {
    metrics: PrometheusHandle,
    readiness: Readiness,
}

pub(crate) async fn start(
    listen: SocketAddr,
    readiness: Readiness,
    paths: &str,
) -> Result<WatchServer, Failure> {
    let failed = |cause: &dyn std::fmt::Display| {
        Failure::new(format!("cannot serve metrics on {listen}: {cause}"))
    };
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)
        .map_err(|error| failed(&error))?;
    let metrics = builder.install_recorder().map_err(|error| failed(&error))?;
    describe();
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| failed(&error))?;
    let address = listener.local_addr().map_err(|error| failed(&error))?;
    tracing::info!(%address, "serving {paths}");
    let tidied = metrics.clone();
    let routes = Router::new()
        .route("/metrics", get(exposed))
        .route("/healthz", get(async || Json(json!({ "status": "alive" }))))
        .route("/readyz", get(ready))
        .route("/leaderz", get(leads))
        .with_state(Shared { metrics, readiness });
    Ok(WatchServer(tokio::spawn(async move {
        let tidied = regularly(UPKEEP, || tidied.run_upkeep());
        let served = axum::serve(listener, routes).into_future();
        tokio::select! {
            () = tidied => {}
            ended = served => if let Err(error) = ended {
                tracing::error!(%error, "metrics are not served any more");
            }
        }
    })))
}

impl Drop for WatchServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Does this now and then, and never ends.
async fn regularly(every: Duration, mut task: impl FnMut()) {
    loop {
        tokio::time::sleep(every).await;
        task();
    }
}

async fn exposed(State(shared): State<Shared>) -> Response {
    // Whoever says how it is counts it, too.
    let _ = (shared.readiness)();
    shared.metrics.run_upkeep();
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        shared.metrics.render(),
    )
        .into_response()
}

async fn ready(State(shared): State<Shared>) -> Response {
    let (is_ready, report) = (shared.readiness)();
    let status = match is_ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(report)).into_response()
}

/// For whoever sends requests to the leader alone: it is in touch, and its command is ready.
async fn leads(State(shared): State<Shared>) -> Response {
    let (is_ready, report) = (shared.readiness)();
    let leads = is_ready && report["role"] == "leader" && report["leader"]["state"] == "active";
    let status = match leads {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(report)).into_response()
}

/// Of a node: ready is who leads or stands by, and is in touch with the backend.
pub(crate) fn node(group: &Group) -> Readiness {
    let group = group.clone();
    // The backend has to have answered within this time.
    let patience = group.timing().lease();
    Arc::new(move || {
        let view = group.observe().view();
        let silence = group.silence();
        let in_touch = silence.is_some_and(|silence| silence < patience);
        let leads = group.is_leading();
        let role = match (in_touch, leads) {
            (false, _) => "not in touch",
            (true, true) => "leader",
            (true, false) => "standby",
        };
        // The group could not say so when it began, as nothing was counting then.
        let name = group.name().to_string();
        metrics::gauge!("incumbent_role", "group" => name).set(f64::from(u8::from(leads)));
        let silent = silence.map(|silence| silence.as_secs_f64());
        let leader = show::json(&view);
        let report = json!({ "role": role, "backend_silent_seconds": silent, "leader": leader });
        (in_touch, report)
    })
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
    describe_counter!(
        crate::diagnostics::LOST,
        "Lines of the log that were lost, because nobody read them fast enough or they could not be \
         written"
    );
    describe_histogram!(
        "incumbent_takeover_seconds",
        "From the moment a term could be claimed until it was held"
    );
    describe_histogram!(
        "incumbent_renewal_margin_seconds",
        "How much of the renew deadline was left when a renewal was acknowledged"
    );
    for (name, unit) in [
        (
            "incumbent_server_requests_total",
            "Requests that were received",
        ),
        (
            "incumbent_server_replies_total",
            "Replies and events that were sent",
        ),
    ] {
        describe_counter!(name, unit);
    }
    for (name, unit) in [
        ("incumbent_server_connections", "Connections"),
        ("incumbent_server_sessions", "Sessions, connected or not"),
        ("incumbent_server_nodes", "Nodes in the tree"),
        ("incumbent_server_ephemeral_nodes", "Ephemeral nodes"),
        (
            "incumbent_server_bytes",
            "About how much memory the nodes take",
        ),
        ("incumbent_server_watches", "Watches"),
        (
            "incumbent_server_watch_bytes",
            "About how much memory the watches take",
        ),
        (
            "incumbent_server_outstanding_requests",
            "Requests without an answer yet",
        ),
        ("incumbent_server_zxid", "The newest change"),
    ] {
        describe_gauge!(name, unit);
    }
    describe_histogram!(
        "incumbent_server_latency_seconds",
        "From a request's arrival until its answer could be sent"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn histograms_are_tidied_again_and_again_though_nobody_asks_for_metrics() {
        let times = AtomicUsize::new(0);
        let third = std::pin::pin!(async {
            while times.load(Ordering::SeqCst) < 3 {
                tokio::task::yield_now().await;
            }
        });
        let count = || _ = times.fetch_add(1, Ordering::SeqCst);
        tokio::select! {
            () = third => {}
            () = regularly(Duration::from_millis(1), count) => {}
        }
    }
}
