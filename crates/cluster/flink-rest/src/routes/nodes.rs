//! TaskManagers, and the JobManager that leads.

use std::collections::HashMap;

use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::get;
use serde_json::json;

use super::{Params, list, series, text};
use crate::ask::{Ask, Flink};
use crate::errors::{Answer, Failure, ok};
use crate::{jobmanager, jobs, logs, metrics, overview, taskmanagers, times};

pub(super) fn routes() -> Router<Flink> {
    const NODE: &str = "/taskmanagers/{node}";
    let path = |below: &str| format!("{NODE}{below}");
    Router::new()
        .route(
            "/taskmanagers",
            get(async |ask: Ask| ok(taskmanagers::list(&ask.cluster().await?, times::now()))),
        )
        .route("/taskmanagers/metrics", get(metrics_of_nodes))
        .route(
            NODE,
            get(async |ask: Ask, Path(node): Path<String>| {
                let cluster = ask.cluster().await?;
                let node = taskmanagers::find(&cluster, &node)?;
                ok(taskmanagers::details(
                    node,
                    &jobs::all(&ask).await?,
                    times::now(),
                ))
            }),
        )
        .route(
            &path("/metrics"),
            get(
                async |ask: Ask, Path(node): Path<String>, Query(query): Params| {
                    let cluster = ask.cluster().await?;
                    let node = taskmanagers::find(&cluster, &node)?.name.clone();
                    metrics_of_node(&ask, &node, &query).await
                },
            ),
        )
        .route(
            &path("/logs"),
            get(async |ask: Ask, Path(node): Path<String>| {
                let (cluster, jobs) = (ask.cluster().await?, jobs::all(&ask).await?);
                let files = logs::files(taskmanagers::find(&cluster, &node)?, &jobs);
                ok(logs::list(&files, times::now()))
            }),
        )
        .route(
            &path("/logs/{name}"),
            get(
                async |ask: Ask, Path((node, name)): Path<(String, String)>| {
                    let (cluster, jobs) = (ask.cluster().await?, jobs::all(&ask).await?);
                    let files = logs::files(taskmanagers::find(&cluster, &node)?, &jobs);
                    logs::one(&ask, &files, &name).await.map(text)
                },
            ),
        )
        .route(&path("/log"), get(log_of_node))
        .route(&path("/stdout"), get(log_of_node))
        .route(
            &path("/thread-dump"),
            get(async || ok(json!({ "threadInfos": [] }))),
        )
        .route(
            &path("/profiler"),
            get(async || ok(json!({ "profilingList": [] }))),
        )
        .route(
            "/jobmanager/config",
            get(async |ask: Ask| ok(jobmanager::config(&ask.cluster().await?))),
        )
        .route(
            "/jobmanager/environment",
            get(async || ok(jobmanager::environment())),
        )
        .route("/jobmanager/metrics", get(metrics_of_leader))
        .route("/jobmanager/logs", get(async || ok(json!({ "logs": [] }))))
        .route("/jobmanager/log", get(log_of_leader))
        .route("/jobmanager/stdout", get(log_of_leader))
        .route(
            "/jobmanager/thread-dump",
            get(async || ok(json!({ "threadInfos": [] }))),
        )
        .route(
            "/jobmanager/profiler",
            get(async || ok(json!({ "profilingList": [] }))),
        )
}

async fn metrics_of_nodes(ask: Ask, Query(query): Params) -> Answer {
    let (cluster, series) = (ask.cluster().await?, series(&ask).await?);
    let nodes = overview::task_managers(&cluster);
    let all: Vec<_> = nodes
        .flat_map(|node| metrics::of_node(&series, &node.name))
        .collect();
    let agg = query.get("agg").map(String::as_str);
    ok(metrics::aggregated(&all, list(&query)?.as_deref(), agg))
}

async fn metrics_of_leader(ask: Ask, Query(query): Params) -> Answer {
    let leader = ask.cluster().await?.leader.name;
    metrics_of_node(&ask, &leader, &query).await
}

async fn metrics_of_node(ask: &Ask, node: &str, query: &HashMap<String, String>) -> Answer {
    let all = metrics::of_node(&series(ask).await?, node);
    ok(metrics::told(&all, list(query)?.as_deref()))
}

async fn log_of_node(ask: Ask, Path(node): Path<String>) -> Result<Response, Failure> {
    let (cluster, jobs) = (ask.cluster().await?, jobs::all(&ask).await?);
    let files = logs::files(taskmanagers::find(&cluster, &node)?, &jobs);
    logs::all(&ask, &files).await.map(text)
}

async fn log_of_leader(ask: Ask) -> Result<Response, Failure> {
    Ok(text(jobmanager::log(&ask.cluster().await?)))
}
