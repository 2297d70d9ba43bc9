//! Jobs: what is said of them, canceling, and how many tasks they have.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::{get, patch};
use serde_json::json;

use super::{Params, list};
use crate::ask::{self, Ask, Flink};
use crate::errors::{Answer, Failure, accepted, ok};
use crate::which::is_own_page;
use crate::{
    checkpoints, exceptions, job, jobmanager, jobs, metrics, plan, resources, times, vertices,
};

pub(super) fn routes() -> Router<Flink> {
    Router::new()
        .route(
            "/jobs",
            get(async |ask: Ask| ok(jobs::ids(&jobs::all(&ask).await?))).post(submit),
        )
        .route(
            "/jobs/overview",
            get(async |ask: Ask| ok(jobs::overview(&jobs::all(&ask).await?, times::now()))),
        )
        .route("/jobs/metrics", get(metrics_of_jobs))
        .route(
            "/jobs/{job}",
            get(async |ask: Ask, Path(job): Path<String>| {
                ok(job::details(&ask.job(&job).await?, times::now()))
            })
            .patch(cancel),
        )
        .route("/jobs/{job}/yarn-cancel", get(cancel_by_get))
        .route(
            "/jobs/{job}/status",
            get(async |ask: Ask, Path(job): Path<String>| ok(job::status(&ask.job(&job).await?))),
        )
        .route(
            "/jobs/{job}/execution-result",
            get(async |ask: Ask, Path(job): Path<String>| {
                ok(job::execution_result(&ask.job(&job).await?, times::now()))
            }),
        )
        .route(
            "/jobs/{job}/plan",
            get(async |ask: Ask, Path(job): Path<String>| {
                ok(json!({ "plan": plan::plan(&ask.job(&job).await?) }))
            }),
        )
        .route(
            "/jobs/{job}/config",
            get(async |ask: Ask, Path(job): Path<String>| ok(job::config(&ask.job(&job).await?))),
        )
        .route(
            "/jobs/{job}/jobmanager/config",
            get(async |ask: Ask, Path(job): Path<String>| {
                ask.job(&job).await?;
                ok(jobmanager::config(&ask.cluster().await?))
            }),
        )
        .route(
            "/jobs/{job}/jobmanager/environment",
            get(async |ask: Ask, Path(job): Path<String>| {
                ask.job(&job).await?;
                ok(jobmanager::environment())
            }),
        )
        .route("/jobs/{job}/exceptions", get(exceptions_of))
        .route(
            "/jobs/{job}/accumulators",
            get(async |ask: Ask, Path(job): Path<String>| {
                ask.job(&job).await?;
                ok(job::accumulators())
            }),
        )
        .route("/jobs/{job}/metrics", get(metrics_of_job))
        .route(
            "/jobs/{job}/resource-requirements",
            get(requirements).put(require),
        )
        .route("/jobs/{job}/rescaling", patch(rescale_of_old))
        .route(
            "/jobs/{job}/checkpoints",
            get(async |ask: Ask, Path(job): Path<String>| {
                ok(checkpoints::statistics(
                    &ask.job(&job).await?,
                    times::now(),
                )?)
            }),
        )
        .route(
            "/jobs/{job}/checkpoints/config",
            get(async |ask: Ask, Path(job): Path<String>| {
                ok(checkpoints::config(&ask.job(&job).await?)?)
            }),
        )
        .route(
            "/jobs/{job}/checkpoints/details/{checkpoint}",
            get(
                async |ask: Ask, Path((job, number)): Path<(String, String)>| {
                    ok(checkpoints::details(
                        &ask.job(&job).await?,
                        &number,
                        times::now(),
                    )?)
                },
            ),
        )
        .route(
            "/jobs/{job}/checkpoints/details/{checkpoint}/subtasks/{vertex}",
            get(
                async |ask: Ask, Path((job, number, vertex)): Path<(String, String, String)>| {
                    let job = ask.job(&job).await?;
                    vertices::check(&job, &vertex)?;
                    ok(checkpoints::of_subtasks(&job, &number, times::now())?)
                },
            ),
        )
}

async fn submit() -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        "This is a cluster of Incumbent: it runs no job graphs of Flink. A job here is a program: upload it by \
         /jars/upload, or use `incumbent job run`.",
    )
}

async fn cancel(ask: Ask, Path(job): Path<String>, Query(query): Params) -> Answer {
    job::check_mode(query.get("mode").map(String::as_str))?;
    canceled(&ask, &job).await
}

async fn cancel_by_get(ask: Ask, Path(job): Path<String>, uri: Uri, headers: HeaderMap) -> Answer {
    if !is_own_page(&uri, &headers) {
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "A GET cancels a job only if a page of this node sends it. Use PATCH /jobs/:jobid?mode=cancel.",
        ));
    }
    canceled(&ask, &job).await
}

pub(super) async fn canceled(ask: &Ask, job: &str) -> Answer {
    let job = ask.job(job).await?;
    let path = format!("/v1/jobs/{}/desired", job.id);
    ask.put(&path, &json!({ "state": "canceled" })).await?;
    accepted(json!({}))
}

async fn exceptions_of(ask: Ask, Path(job): Path<String>, Query(query): Params) -> Answer {
    let most = query.get("maxExceptions").map(|most| {
        let bad = |_| {
            Failure::bad_request(format!(
                "Cannot resolve query parameter (maxExceptions) from value \"{most}\"."
            ))
        };
        most.parse::<usize>().map_err(bad)
    });
    ok(exceptions::exceptions(
        &ask.job(&job).await?,
        most.transpose()?,
    ))
}

async fn requirements(ask: Ask, Path(job): Path<String>) -> Answer {
    ok(resources::shown(&ask.job(&job).await?))
}

async fn require(ask: Ask, Path(job): Path<String>, body: Body) -> Answer {
    let wanted: resources::Wanted = ask::body(body).await?;
    let job = ask.job(&job).await?;
    let tasks = resources::tasks(&job, &wanted)?;
    let path = format!("/v1/jobs/{}/desired", job.id);
    ask.put(&path, &json!({ "state": "running", "tasks": tasks }))
        .await?;
    ok(json!({}))
}

/// It was taken out of Flink long ago, and has said so since.
async fn rescale_of_old() -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Rescaling is temporarily disabled. See FLINK-12312. Use PUT /jobs/:jobid/resource-requirements.",
    )
}

async fn metrics_of_job(ask: Ask, Path(job): Path<String>, Query(query): Params) -> Answer {
    let job = ask.job(&job).await?;
    let all = metrics::of_job(&job, times::now());
    ok(metrics::told(&all, list(&query)?.as_deref()))
}

async fn metrics_of_jobs(ask: Ask, Query(query): Params) -> Answer {
    let wanted = query.get("jobs").map(String::as_str);
    let is_wanted = |id: &str| wanted.is_none_or(|wanted| wanted.split(',').any(|one| one == id));
    let mut all = Vec::new();
    for job in jobs::all(&ask)
        .await?
        .iter()
        .filter(|job| is_wanted(&job.id))
    {
        all.extend(metrics::of_job(job, times::now()));
    }
    let agg = query.get("agg").map(String::as_str);
    ok(metrics::aggregated(&all, list(&query)?.as_deref(), agg))
}
