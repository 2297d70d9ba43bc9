//! `/applications`, since Flink 2.3.

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use incumbent_cluster_core::view::JobView;

use super::jobs::canceled;
use crate::ask::{Ask, Flink};
use crate::errors::{Failure, ok};
use crate::{applications, jobmanager, jobs, times};

pub(super) fn routes() -> Router<Flink> {
    const ONE: &str = "/applications/{application}";
    let path = |below: &str| format!("{ONE}{below}");
    Router::new()
        .route(
            "/applications/overview",
            get(async |ask: Ask| {
                let jobs = jobs::all(&ask).await?;
                ok(applications::overview(&jobs, times::now()))
            }),
        )
        .route(
            ONE,
            get(async |ask: Ask, Path(id): Path<String>| {
                ok(applications::details(&job(&ask, &id).await?, times::now()))
            }),
        )
        .route(
            &path("/exceptions"),
            get(async |ask: Ask, Path(id): Path<String>| {
                ok(applications::exceptions(&job(&ask, &id).await?))
            }),
        )
        .route(
            &path("/jobmanager/config"),
            get(async |ask: Ask, Path(id): Path<String>| {
                job(&ask, &id).await?;
                ok(jobmanager::config(&ask.cluster().await?))
            }),
        )
        .route(
            &path("/cancel"),
            post(async |ask: Ask, Path(id): Path<String>| {
                canceled(&ask, &job(&ask, &id).await?.id).await
            }),
        )
}

/// The job of an application.
async fn job(ask: &Ask, id: &str) -> Result<JobView, Failure> {
    let job = ask.job(id).await;
    job.map_err(|failure| applications::not_found(failure, id))
}
