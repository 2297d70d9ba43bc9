//! A job by its id or name.

use hyper::StatusCode;
use incumbent_cluster_core::view::JobView;

use crate::cluster::client::{Ask, Client, ClientError, segment};
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
        ClientError::Problem(problem) if problem.status == StatusCode::NOT_FOUND => {
            let why = format!(
                "there is no job {job:?}: {}; `incumbent job ls` lists those that there are",
                problem.detail
            );
            Failure::new(why).code(Code::NotFound)
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_is_in_it() {
        assert_eq!(path("hello-1.a_b"), "/v1/jobs/hello-1.a_b");
        assert_eq!(path("a/b?c ü"), "/v1/jobs/a%2Fb%3Fc%20%C3%BC");
    }
}
