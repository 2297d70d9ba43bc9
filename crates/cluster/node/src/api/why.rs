//! Why a job is as it is: what the leader says, and which operator is slow.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use futures::StreamExt as _;
use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::JobView;

use super::locate::Asker;
use super::problem::Problem;
use super::types::Why;
use super::{Api, metrics, pace, submit, view};

/// How long to wait for the leader, which knows what a job waits for.
const LEADER: Duration = Duration::from_secs(35);

/// TaskManagers whose metrics are read at a time.
const SIDE_BY_SIDE: usize = 32;

pub(super) async fn of_job(
    State(api): State<Arc<Api>>,
    Path(job): Path<String>,
    request: Request,
) -> Result<Json<Why>, Problem> {
    let name = percent_encoding::utf8_percent_encode(&job, percent_encoding::NON_ALPHANUMERIC);
    let path = format!("/v1/jobs/{name}");
    let job: JobView = api.ask_leader(&path, Asker::of(&request), LEADER).await?;
    let pace = match job.state {
        JobState::Running => pace_of(&api, &job).await,
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

/// What its tasks say of their operators. Nodes that do not answer are left out: the rest of the
/// story is told all the same.
async fn pace_of(api: &Arc<Api>, job: &JobView) -> Vec<String> {
    let Ok(id) = job.id.parse() else {
        return Vec::new();
    };
    let Ok(record) = api.record(id).await else {
        return Vec::new();
    };
    let nodes = record.nodes.iter();
    let texts = nodes.map(|node| async { metrics::scrape(api, &node.address).await.ok() });
    let texts: Vec<_> = texts.collect();
    let texts = futures::stream::iter(texts).buffer_unordered(SIDE_BY_SIDE);
    let texts: Vec<String> = texts.filter_map(async |text| text).collect().await;
    pace::pace(&texts, &job.name)
}
