//! A job by its id or name.

use hyper::StatusCode;
use incumbent_cluster_core::view::JobView;

use crate::cluster::client::{Ask, Client, ClientError, Problem, segment};
use crate::exit::{Code, Failure};

/// The job of this id or name, as it is now.
///
/// # Errors
///
/// There is none, or the cluster does not answer.
pub(super) async fn find(client: &Client, job: &str) -> Result<JobView, Failure> {
    look(client, job).await.map_err(|error| named(error, job))
}

/// The same, with errors for programs.
pub(super) async fn look(client: &Client, job: &str) -> Result<JobView, ClientError> {
    client.json(&Ask::get(path(job))).await
}

/// The path of a job. A name goes where an id goes.
pub(super) fn path(job: &str) -> String {
    format!("/v1/jobs/{}", segment(job))
}

/// An error about a job that was named so.
pub(super) fn named(error: ClientError, job: &str) -> Failure {
    match error {
        ClientError::Problem(problem) if is_about_the_job(&problem) => {
            let why =
                format!("there is no job {job:?}; `incumbent job ls` lists those that there are");
            Failure::new(why).code(Code::NotFound)
        }
        error => error.into(),
    }
}

/// Whether there is no such job. A rank, an attempt or a savepoint of it that is not there has the
/// same status.
fn is_about_the_job(problem: &Problem) -> bool {
    let detail = problem.detail.to_ascii_lowercase();
    problem.status == StatusCode::NOT_FOUND && detail.starts_with("there is no job ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_job_that_is_not_there_is_called_so() {
        let told = |detail: &str| {
            let problem = Problem {
                status: StatusCode::NOT_FOUND,
                kind: "not-found".into(),
                detail: detail.into(),
                is_unknown: false,
            };
            named(ClientError::Problem(problem), "hello").message()
        };
        let missing = "there is no job \"hello\"; `incumbent job ls` lists those that there are";
        assert_eq!(told("there is no job named \"hello\""), missing);
        assert_eq!(told("There is no job 7. It was removed."), missing);
        let rank = "Job 7 has 2 tasks, whose ranks are 0 to 1; there is no rank 7.";
        assert_eq!(told(rank), rank);
    }

    #[test]
    fn a_name_is_one_segment_whatever_is_in_it() {
        assert_eq!(path("hello-1.a_b"), "/v1/jobs/hello-1.a_b");
        assert_eq!(path("a/b?c ü"), "/v1/jobs/a%2Fb%3Fc%20%C3%BC");
    }
}
