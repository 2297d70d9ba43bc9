//! The checkpoints of a job: from the leader, or from the record while nobody leads.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use incumbent_cluster_core::JobId;
use incumbent_cluster_core::view::{CheckpointsView, JobView};

use super::locate::Asker;
use super::problem::Problem;
use super::{Api, view};

/// How long to wait for the leader, which knows what is pending. The record has the rest.
const LEADER: Duration = Duration::from_secs(3);

pub(super) async fn of_job(
    State(api): State<Arc<Api>>,
    Path(job): Path<String>,
    request: Request,
) -> Result<Json<CheckpointsView>, Problem> {
    let name = percent_encoding::utf8_percent_encode(&job, percent_encoding::NON_ALPHANUMERIC);
    let path = format!("/v1/jobs/{name}");
    let told: Result<JobView, Problem> = api.ask_leader(&path, Asker::of(&request), LEADER).await;
    let view = match (told, job.parse::<JobId>()) {
        (Ok(view), _) => view,
        (Err(problem), Ok(id)) if problem.status == StatusCode::SERVICE_UNAVAILABLE => {
            view::of_record(&api.record(id).await?, 0)
        }
        (Err(problem), _) => return Err(problem),
    };
    view.checkpoints.map(Json).ok_or_else(|| {
        Problem::not_found(format!(
            "Job {} makes no checkpoints: its specification has no `checkpoints`.",
            view.name
        ))
    })
}
