//! Where a task is: its job's record says so, whether anybody leads or not.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderValue};
use axum::http::{HeaderMap, Request};
use incumbent_cluster_core::view::JobView;
use incumbent_cluster_core::{Attempt, Incarnation, JobId, JobRecord, Rank, TaskId};
use incumbent_gateway::Peer;
use tower_service::Service as _;

use super::problem::Problem;
use super::{Api, archive};
use crate::Node;

/// How long to wait for the leader, who knows the names of jobs.
const NAME: Duration = Duration::from_secs(35);

/// How long to wait for the leader if the name is known from before.
const KNOWN_NAME: Duration = Duration::from_secs(1);

/// The largest answer about one job, in bytes.
const LARGEST_JOB: usize = 2 * 1024 * 1024;

/// A task of the present attempt.
pub(super) struct Located {
    pub(super) task: TaskId,
    /// `host:port` of its TaskManager.
    pub(super) address: String,
    /// The name of its TaskManager, for people.
    pub(super) node: String,
}

/// Who asks, for a question that is passed on to the leader: it checks what this node has checked.
pub(super) struct Asker {
    headers: HeaderMap,
    peer: Option<Peer>,
}

impl Asker {
    /// The one who sent this request.
    pub(super) fn of<B>(request: &axum::http::Request<B>) -> Self {
        let mut headers = HeaderMap::new();
        let fields = [HOST, AUTHORIZATION, COOKIE].into_iter();
        headers.extend(fields.filter_map(|name| {
            let value = request.headers().get(&name)?.clone();
            Some((name, value))
        }));
        // HTTP/2 has it in the target.
        let target = request.uri().authority();
        if let Some(Ok(host)) = target.map(|target| target.as_str().parse()) {
            headers.insert(HOST, host);
        }
        let peer = request.extensions().get::<Peer>().cloned();
        Self { headers, peer }
    }

    /// This node itself, for those whom it has allowed to listen.
    pub(super) fn of_node(node: &Node) -> Self {
        let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost"))]);
        let token = node.options().token.as_ref();
        let bearer = token.map(|token| HeaderValue::try_from(format!("Bearer {token}")));
        if let Some(Ok(mut bearer)) = bearer {
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        Self {
            headers,
            peer: None,
        }
    }
}

impl Api {
    /// The id of a job that is named by its id or name.
    ///
    /// The leader knows the names of jobs. While it does not answer, one that it has told before
    /// counts, if its job has not ended: until then it can be no other job's.
    pub(super) async fn id_of(&self, job: &str, asker: Asker) -> Result<JobId, Problem> {
        if let Ok(id) = job.parse() {
            return Ok(id);
        }
        let name = percent_encoding::utf8_percent_encode(job, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("/v1/jobs/{name}");
        let mut asked = std::pin::pin!(self.ask_leader::<JobView>(&path, asker, NAME));
        let answer = match self.state.records.named(job) {
            None => asked.await,
            Some(known) => {
                let soon = tokio::time::timeout(KNOWN_NAME, asked.as_mut()).await;
                let is_answer = match &soon {
                    Ok(Ok(_)) => true,
                    Ok(Err(problem)) => !problem.is_outage(),
                    Err(_) => false,
                };
                if !is_answer && self.is_live(known).await {
                    self.state.records.note_name(job, known);
                    return Ok(known);
                }
                match soon {
                    Ok(answer) => answer,
                    Err(_) => asked.await,
                }
            }
        };
        let view = answer.map_err(|mut problem| {
            if problem.is_outage() {
                problem.detail.push_str(
                    " The leader knows the names of jobs; by its id a job is found without it.",
                );
            }
            problem
        })?;
        let bad = |_| Problem::node_unreached("The leader's answer names no job.");
        let id = view.id.parse::<JobId>().map_err(bad)?;
        self.state.records.note_name(job, id);
        Ok(id)
    }

    async fn is_live(&self, id: JobId) -> bool {
        let record = self.state.records.newest(self, id).await;
        record.is_ok_and(|record| !record.state.is_terminal())
    }

    /// Asks the leader as the client would.
    pub(super) async fn ask_leader<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        asker: Asker,
        patience: Duration,
    ) -> Result<T, Problem> {
        let mut request = Request::get(path)
            .body(Body::empty())
            .map_err(|_| Problem::bad_request("The request names something that is no path."))?;
        *request.headers_mut() = asker.headers;
        if let Some(peer) = asker.peer {
            request.extensions_mut().insert(peer);
        }
        let mut led = self.led.clone();
        let asked = async {
            let answer = led
                .call(request)
                .await
                .unwrap_or_else(|never| match never {});
            let status = answer.status();
            let body = axum::body::to_bytes(answer.into_body(), LARGEST_JOB).await;
            (status, body)
        };
        let late = || {
            Problem::unavailable(
                "no-leader",
                "Nobody leads",
                "No leader has answered in time. Try again.",
            )
        };
        let (status, body) = tokio::time::timeout(patience, asked)
            .await
            .map_err(|_| late())?;
        let broken = |why: &dyn std::fmt::Display| {
            Problem::node_unreached(format!(
                "The leader's answer cannot be read: {why}. Try again."
            ))
        };
        let body = body.map_err(|error| broken(&error))?;
        if !status.is_success() {
            return Err(serde_json::from_slice(&body).unwrap_or_else(|_| broken(&status)));
        }
        serde_json::from_slice(&body).map_err(|error| broken(&error))
    }

    /// The record of a job, from the store.
    pub(super) async fn record(&self, id: JobId) -> Result<JobRecord, Problem> {
        let what = format!("the record of job {id}");
        let found = self.node.group().read::<JobRecord>(&id.record()).await;
        if let Some(found) = found.map_err(|error| Problem::of_store(&error, &what))? {
            return Ok(found.data);
        }
        archive::find(&self.blobs, id).await.ok_or_else(|| {
            Problem::not_found(format!(
                "There is no job {id}. It was never submitted here, or it was removed."
            ))
        })
    }
}

/// Where a rank of the present attempt is.
pub(super) fn locate(record: &JobRecord, rank: Rank) -> Result<Located, Problem> {
    let id = record.id;
    check_rank(record, rank)?;
    if record.state.is_terminal() {
        return Err(Problem::conflict(format!(
            "Job {id} has ended, and so have its tasks."
        )));
    }
    let Some(node) = record.node_of(rank) else {
        return Err(Problem::conflict(format!(
            "Rank {rank} of job {id} is not placed yet: the job waits. `incumbent job why {id}` (by HTTP \
             GET /v1/jobs/{id}/why) says for what."
        )));
    };
    Ok(Located {
        task: task(record, record.attempt, rank),
        address: node.address.clone(),
        node: node.name.clone(),
    })
}

pub(super) fn check_rank(record: &JobRecord, rank: Rank) -> Result<(), Problem> {
    let (id, tasks) = (record.id, record.tasks());
    if rank.0 < tasks {
        return Ok(());
    }
    Err(Problem::not_found(format!(
        "Job {id} has {tasks} tasks, whose ranks are 0 to {}; there is no rank {rank}.",
        tasks.saturating_sub(1)
    )))
}

pub(super) fn task(record: &JobRecord, attempt: Attempt, rank: Rank) -> TaskId {
    let incarnation: Incarnation = record.incarnation;
    TaskId {
        job: record.id,
        incarnation,
        attempt,
        rank,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rescaled_job_has_the_ranks_that_it_was_given() {
        let spec = json!({ "name": "a", "tasks": 2, "command": ["x"] });
        let spec = serde_json::from_value(spec).unwrap();
        let (id, incarnation) = (JobId::new(1), Incarnation::new(1));
        let mut record = JobRecord::new(id, incarnation, spec, String::new(), 0);
        assert!(check_rank(&record, Rank(2)).is_err());
        record.rescaled = Some(3);
        assert!(check_rank(&record, Rank(2)).is_ok());
        let why = check_rank(&record, Rank(3)).unwrap_err().detail;
        assert!(why.contains("3 tasks, whose ranks are 0 to 2"), "{why}");
    }
}
