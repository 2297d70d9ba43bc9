//! Why a job is as it is: what the leader says, and which operator is slow.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::JobView;

use super::job_metrics::pace_of;
use super::locate::Asker;
use super::problem::Problem;
use super::types::Why;
use super::{Api, submit, view};

/// How long to wait for the leader, which knows what a job waits for.
const LEADER: Duration = Duration::from_secs(35);

pub(super) async fn of_job(
    State(api): State<Arc<Api>>,
    Path(job): Path<String>,
    request: Request,
) -> Result<Json<Why>, Problem> {
    let name = percent_encoding::utf8_percent_encode(&job, percent_encoding::NON_ALPHANUMERIC);
    let path = format!("/v1/jobs/{name}");
    let job: JobView = api.ask_leader(&path, Asker::of(&request), LEADER).await?;
    let pace = match job.state {
        JobState::Running => match job.id.parse() {
            Ok(id) => pace_of(&api, id).await,
            Err(_) => Vec::new(),
        },
        _ => Vec::new(),
    };
    let mut lines = view::why(&job, submit::now());
    // Behind the first, which says that it runs.
    let at = lines.len().min(1);
    lines.splice(at..at, pace.iter().cloned());
    Ok(Json(Why {
        lines,
        pace,
        id: job.id,
        name: job.name,
        state: job.state,
        cause: job.cause,
    }))
}
