//! The server, and its routes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::listening::cannot_listen;

/// Bounds of the histograms, in seconds: from one write to a file up to a lease.
const BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The useful paths. A gateway or leader server never leads, so it always answers `/leaderz` with
/// 503.
pub(crate) const USUAL: &str = "/metrics, /healthz and /readyz";
/// The useful paths of a node.
pub(crate) const OF_NODE: &str = "/metrics, /healthz, /readyz and /leaderz";

/// How often single values are added to the histograms. Until then each takes memory, even if
/// nobody reads the metrics.
const UPKEEP: Duration = Duration::from_secs(5);

/// The server of this process. It ends when this is dropped.
pub(crate) struct StatusServer(tokio::task::JoinHandle<()>);

/// Returns whether the process is ready, and a report for people.
pub(crate) type Readiness = Arc<dyn Fn() -> (bool, Value) + Send + Sync>;

#[derive(Clone)]
struct Shared {
    metrics: PrometheusHandle,
    readiness: Readiness,
}

/// Starts to serve. `paths` are those that the log names.
pub(crate) async fn start(
    listen: SocketAddr,
    readiness: Readiness,
    paths: &str,
) -> Result<StatusServer, Failure> {
    let cannot = |cause| cannot_listen(listen, cause);
    let metrics = install()?;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    tracing::info!(%address, "serving {paths}");
    let handle = metrics.clone();
    let routes = Router::new()
        .route("/metrics", get(exposed))
        .route("/healthz", get(async || Json(json!({ "status": "alive" }))))
        .route("/readyz", get(ready))
        .route("/leaderz", get(leads))
        .with_state(Shared { metrics, readiness });
    Ok(StatusServer(tokio::spawn(async move {
        let upkeep = regularly(UPKEEP, || handle.run_upkeep());
        let served = axum::serve(listener, routes).into_future();
        tokio::select! {
            () = upkeep => {}
            ended = served => if let Err(error) = ended {
                tracing::error!(%error, "the status server has ended; /metrics and /readyz no longer answer");
            }
        }
    })))
}

/// Collects the metrics of this process from now on, for a server that is not this one. Must be
/// called inside a Tokio runtime.
pub(crate) fn recorder() -> Result<PrometheusHandle, Failure> {
    let metrics = install()?;
    let handle = metrics.clone();
    tokio::spawn(regularly(UPKEEP, move || handle.run_upkeep()));
    Ok(metrics)
}

fn install() -> Result<PrometheusHandle, Failure> {
    let failed = |cause| Failure::new("cannot collect metrics").because(cause);
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(failed)?;
    super::descriptions::describe();
    Ok(metrics)
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Does this again and again, and never ends.
async fn regularly(every: Duration, mut task: impl FnMut()) {
    loop {
        tokio::time::sleep(every).await;
        task();
    }
}

async fn exposed(State(shared): State<Shared>) -> Response {
    // Some gauges are set when the readiness is asked.
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
    answer(is_ready, report)
}

/// For a load balancer that sends requests to the leader alone: this node leads, and its command is
/// ready.
async fn leads(State(shared): State<Shared>) -> Response {
    let (is_ready, report) = (shared.readiness)();
    let leads = is_ready && report["role"] == "leader" && report["leader"]["state"] == "active";
    answer(leads, report)
}

fn answer(is_good: bool, report: Value) -> Response {
    let status = if is_good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report)).into_response()
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
