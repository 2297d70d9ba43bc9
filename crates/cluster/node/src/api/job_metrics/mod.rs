//! The metrics of one job: `/v1/jobs/{job}/metrics`, asked of the TaskManagers that its record
//! names. For pages, which draw them; Prometheus reads `/v1/metrics`. `/v1/jobs/{job}/why` reads
//! from the same look which operator is slow. However many ask, each TaskManager is asked once a
//! second.

mod kept;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use futures::StreamExt as _;
use incumbent_cluster_core::JobId;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::locate::Asker;
use super::pace::pace;
use super::problem::Problem;
use super::{Api, metrics};
use kept::Kept;
pub use kept::METRICS_AGE;

/// Most series of an answer: as many as somebody looks at, and more.
pub const MOST_SERIES: usize = 2000;

/// TaskManagers whose metrics are read at a time.
const SIDE_BY_SIDE: usize = 32;

/// The metrics of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobMetrics {
    /// The series of its tasks; at most 2000.
    pub series: Vec<Series>,
    /// What is missing, and why.
    pub left_out: Vec<String>,
    /// How old they are, in milliseconds: rates are over the time between two looks, not between
    /// two answers.
    pub age_ms: u64,
}

/// The newest value of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Series {
    /// The name of the metric.
    pub name: String,
    /// Its labels without the job, as in `rank="0",operator="split"`.
    pub labels: String,
    /// Its value.
    pub value: f64,
}

/// What one look at the TaskManagers of a job finds.
#[derive(Debug)]
pub(super) struct Look {
    metrics: JobMetrics,
    /// When it was complete.
    at: Instant,
    /// Which operator is slow, in words.
    pace: Vec<String>,
}

/// The last looks of this node.
pub(super) type Looks = Kept<Look>;

pub(super) async fn of_job(
    State(api): State<Arc<Api>>,
    Path(job): Path<String>,
    request: Request,
) -> Result<Json<JobMetrics>, Problem> {
    let id = api.id_of(&job, Asker::of(&request)).await?;
    let look = look(&api, id).await?;
    let age = look.at.elapsed().as_millis();
    Ok(Json(JobMetrics {
        age_ms: u64::try_from(age).unwrap_or(u64::MAX),
        ..look.metrics.clone()
    }))
}

/// What its tasks say of their operators, in words. Nodes that do not answer are left out: the rest
/// of the story is told all the same.
pub(super) async fn pace_of(api: &Api, job: JobId) -> Vec<String> {
    let look = look(api, job).await;
    look.map(|look| look.pace.clone()).unwrap_or_default()
}

async fn look(api: &Api, job: JobId) -> Result<Arc<Look>, Problem> {
    api.looks.get(job, fetched(api, job)).await
}

async fn fetched(api: &Api, job: JobId) -> Result<Look, Problem> {
    let record = api.record(job).await?;
    let name = &record.spec.name;
    let asked = record
        .nodes
        .iter()
        .map(|node| async move { (&node.name, metrics::scrape(api, &node.address).await) });
    let asked: Vec<_> = asked.collect();
    let answers = futures::stream::iter(asked).buffered(SIDE_BY_SIDE);
    let answers: Vec<_> = answers.collect().await;
    let mut found = JobMetrics {
        series: Vec::new(),
        left_out: Vec::new(),
        age_ms: 0,
    };
    let mut texts = Vec::new();
    for (node, answer) in answers {
        match answer {
            Ok(text) => {
                found.series.extend(series(&text, name));
                texts.push(text);
            }
            Err(why) => found.left_out.push(format!("{node}: {why}")),
        }
    }
    if found.series.len() > MOST_SERIES {
        let more = found.series.len() - MOST_SERIES;
        found
            .left_out
            .push(format!("{more} more series, which /v1/metrics has"));
        found.series.truncate(MOST_SERIES);
    }
    Ok(Look {
        at: Instant::now(),
        pace: pace(&texts, name),
        metrics: found,
    })
}

/// The series of this job in the metrics of a node. Pure.
fn series<'a>(text: &'a str, job: &'a str) -> impl Iterator<Item = Series> + 'a {
    let own = format!("job=\"{job}\"");
    text.lines().filter_map(move |line| {
        let (name, rest) = line.split_once('{')?;
        let (labels, value) = rest.rsplit_once("} ")?;
        // The job and the rank are the first labels of what tasks show.
        let labels = labels.strip_prefix(&own)?;
        let labels = labels
            .strip_prefix(',')
            .filter(|labels| labels.starts_with("rank=\""))?;
        let value: f64 = value.trim().parse().ok()?;
        value.is_finite().then(|| Series {
            name: name.to_owned(),
            labels: labels.to_owned(),
            value,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_series_of_the_tasks_of_the_job_are_taken() {
        let text = "# TYPE a gauge\n\
                    a{job=\"words\",rank=\"0\"} 1\n\
                    a{job=\"words\",rank=\"1\",operator=\"x} y\"} 2.5\n\
                    a{job=\"words-2\",rank=\"0\"} 3\n\
                    a{job=\"words\",rank=\"2\"} NaN\n\
                    incumbent_cluster_job_restarts{job=\"words\"} 4\n\
                    plain 5\n";
        let found: Vec<_> = series(text, "words").collect();
        let labels: Vec<_> = found.iter().map(|series| &series.labels[..]).collect();
        assert_eq!(labels, ["rank=\"0\"", "rank=\"1\",operator=\"x} y\""]);
        assert!((found[1].value - 2.5).abs() < f64::EPSILON);
    }
}
