//! What a job file stands for: `/v1/job-file`. Pages read files with it, as the command line does.
//! It submits nothing.

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use incumbent_cluster_core::JobSpec;
use incumbent_cluster_core::job_file::{FileProblem, LARGEST_FILE, parse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body;
use super::problem::{FieldProblem, Problem};

/// What a job file stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobFileView {
    /// The job, without its artifact. Its name is empty if the file has none.
    pub spec: JobSpec,
    /// The path of the artifact, as it is written in the file.
    pub artifact: Option<String>,
    /// What it starts from, as it is written in the file.
    pub restore: Option<String>,
}

pub(super) async fn read(body: Body) -> Result<Json<JobFileView>, Problem> {
    let text = body::whole(body, LARGEST_FILE, "the job file").await?;
    let text = std::str::from_utf8(&text)
        .map_err(|_| Problem::bad_request("The job file is no text in UTF-8."))?;
    match parse(text) {
        Ok(file) => Ok(Json(JobFileView {
            spec: file.spec,
            artifact: file.artifact,
            restore: file.restore,
        })),
        Err(bad) => {
            let errors = bad.problems.into_iter().take(MOST_TOLD).map(told).collect();
            let (title, detail) = (
                "This is no job file",
                "Nothing was submitted. Each line below says what would be right.",
            );
            let problem = Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad-job-file",
                title,
                detail,
            );
            Err(problem.with_errors(errors))
        }
    }
}

/// Most problems that are told: enough to begin with.
const MOST_TOLD: usize = 20;

fn told(problem: FileProblem) -> FieldProblem {
    let place = format!("line {}", problem.line);
    FieldProblem {
        field: match problem.key {
            Some(key) => format!("{place}, {key}"),
            None => place,
        },
        message: problem.why,
    }
}
