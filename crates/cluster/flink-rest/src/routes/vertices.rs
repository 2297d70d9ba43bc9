//! The vertex of a job, and what is below it.

use std::collections::HashMap;

use axum::Router;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::routing::get;
use incumbent_cluster_core::view::{ClusterView, JobView};
use serde_json::json;

use super::{Params, list, series_of};
use crate::ask::{Ask, Flink};
use crate::errors::{Answer, Failure, ok};
use crate::{metrics, times, vertices};

pub(super) fn routes() -> Router<Flink> {
    const VERTEX: &str = "/jobs/{job}/vertices/{vertex}";
    let path = |below: &str| format!("{VERTEX}{below}");
    Router::new()
        .route(
            VERTEX,
            get(async |at: Vertex| {
                ok(vertices::details(
                    &at.job,
                    &at.cluster().await?,
                    times::now(),
                ))
            }),
        )
        .route(
            &path("/subtasktimes"),
            get(async |at: Vertex| {
                ok(vertices::times_of_subtasks(
                    &at.job,
                    &at.cluster().await?,
                    times::now(),
                ))
            }),
        )
        .route(
            &path("/taskmanagers"),
            get(async |at: Vertex| {
                ok(vertices::by_task_manager(
                    &at.job,
                    &at.cluster().await?,
                    times::now(),
                ))
            }),
        )
        .route(
            &path("/accumulators"),
            get(async |at: Vertex| ok(vertices::accumulators(&at.job))),
        )
        .route(
            &path("/subtasks/accumulators"),
            get(async |at: Vertex| {
                ok(vertices::subtask_accumulators(
                    &at.job,
                    &at.cluster().await?,
                ))
            }),
        )
        .route(&path("/subtasks/{subtask}"), get(subtask))
        .route(
            &path("/subtasks/{subtask}/attempts/{attempt}"),
            get(subtask),
        )
        .route(
            &path("/subtasks/{subtask}/attempts/{attempt}/accumulators"),
            get(async |at: Vertex| {
                let task = vertices::subtask(&at.job, at.part("subtask"))?;
                ok(vertices::attempt_accumulators(&at.job, task))
            }),
        )
        .route(
            &path("/flamegraph"),
            get(async |_: Vertex| ok(vertices::flame_graph())),
        )
        .route(&path("/backpressure"), get(back_pressure))
        // When the watermark of each subtask is not known, Flink has an empty list, too.
        .route(&path("/watermarks"), get(async |_: Vertex| ok(json!([]))))
        .route(
            &path("/jm-operator-metrics"),
            get(async |_: Vertex| ok(json!([]))),
        )
        .route(&path("/metrics"), get(metrics_of_vertex))
        .route(&path("/subtasks/metrics"), get(metrics_of_subtasks))
        .route(
            &path("/subtasks/{subtask}/metrics"),
            get(metrics_of_subtask),
        )
}

/// A job, a vertex of it that was checked, and what else the path has.
struct Vertex {
    ask: Ask,
    job: JobView,
    parts: HashMap<String, String>,
}

impl FromRequestParts<Flink> for Vertex {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, flink: &Flink) -> Result<Self, Failure> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, flink).await;
        let Path(path) = path.map_err(|_| Failure::no_path(parts.uri.path()))?;
        let ask = Ask::from_request_parts(parts, flink)
            .await
            .unwrap_or_else(|never| match never {});
        let part = |name: &str| path.get(name).map_or("", String::as_str);
        let job = ask.job(part("job")).await?;
        vertices::check(&job, part("vertex"))?;
        Ok(Self {
            ask,
            job,
            parts: path,
        })
    }
}

impl Vertex {
    fn part(&self, name: &str) -> &str {
        self.parts.get(name).map_or("", String::as_str)
    }

    async fn cluster(&self) -> Result<ClusterView, Failure> {
        self.ask.cluster().await
    }

    async fn series(&self) -> Result<Vec<metrics::Series>, Failure> {
        series_of(&self.ask, &self.job).await
    }
}

async fn subtask(at: Vertex) -> Answer {
    let cluster = at.cluster().await?;
    let task = vertices::subtask(&at.job, at.part("subtask"))?;
    if let Some(attempt) = at.parts.get("attempt") {
        let wanted: u32 = attempt
            .parse()
            .map_err(|_| Failure::bad_id("attempt", attempt))?;
        if wanted != at.job.attempt.saturating_sub(1) {
            return Err(Failure::not_found(format!(
                "Attempt {wanted} of subtask {} is not known any more.",
                task.rank
            )));
        }
    }
    ok(vertices::attempt(&at.job, task, &cluster, times::now()))
}

async fn back_pressure(at: Vertex) -> Answer {
    let loads = metrics::loads(&at.series().await?, &at.job.name);
    ok(metrics::back_pressure(&at.job, &loads, times::now()))
}

async fn metrics_of_vertex(at: Vertex, Query(query): Params) -> Answer {
    let all = metrics::of_tasks(&at.series().await?, &at.job.name);
    let with_rank = all.into_iter().map(|(rank, metric)| metrics::Metric {
        id: format!("{rank}.{}", metric.id),
        ..metric
    });
    ok(metrics::told(
        &with_rank.collect::<Vec<_>>(),
        list(&query)?.as_deref(),
    ))
}

async fn metrics_of_subtasks(at: Vertex, Query(query): Params) -> Answer {
    let all = metrics::of_tasks(&at.series().await?, &at.job.name);
    let all: Vec<_> = all.into_iter().map(|(_, metric)| metric).collect();
    let agg = query.get("agg").map(String::as_str);
    ok(metrics::aggregated(&all, list(&query)?.as_deref(), agg))
}

async fn metrics_of_subtask(at: Vertex, Query(query): Params) -> Answer {
    let rank = vertices::subtask(&at.job, at.part("subtask"))?.rank;
    let all = metrics::of_tasks(&at.series().await?, &at.job.name);
    let own = all
        .into_iter()
        .filter(|(of, _)| *of == rank)
        .map(|(_, metric)| metric);
    ok(metrics::told(
        &own.collect::<Vec<_>>(),
        list(&query)?.as_deref(),
    ))
}
