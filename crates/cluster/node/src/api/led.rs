//! What only the leading JobManager knows or does. Behind `NodeLayer`: on a node that does not
//! lead, none of this runs.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, put};
use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::view::{ClusterView, JobView, SavepointView};
use incumbent_cluster_core::{JobId, JobState};
use serde::Deserialize;
use utoipa::openapi::HttpMethod::{Delete, Get, Put};
use utoipa::openapi::schema::Type;

use super::overview::{self, Looks};
use super::problem::Problem;
use super::route::Route;
use super::seams::AskLeader;
use super::types::{
    AttemptList, JobList, NodeList, SavepointList, TaskList, WantedJob, WantedNode,
};
use super::{archive, body, savepoints, view, wish};

/// How long a question may wait for the leader, which may have to open the record first. Less than
/// gateways wait for an answer, so that there is one.
pub const LONGEST_QUESTION: Duration = Duration::from_secs(30);

/// Most jobs on a page.
pub const MOST_JOBS: usize = 10_000;

/// Jobs on a page if nothing is said: all live ones of most clusters, in about a megabyte.
pub const USUAL_JOBS: usize = 1000;

/// The JobManager of this process, and where the oldest jobs that have ended are (R11).
#[derive(Clone)]
pub(super) struct Led {
    pub(super) leader: Option<Arc<dyn AskLeader>>,
    pub(super) blobs: Blobs,
    pub(super) looks: Looks,
}

pub(super) type Answered<T> = Result<Json<T>, Problem>;

pub(super) fn routes() -> Vec<Route<Led>> {
    let no_job = (404, "No such job");
    let damaged = (500, "The record of the job is damaged");
    let mut routes = overview::routes();
    routes.extend([
        Route::new(&[Get], "/v1/jobs", get(jobs), "list_jobs", "Jobs, newest first")
            .query("limit", Type::Integer, "Most jobs on the page: 1 to 10000, usually 1000")
            .query("after", Type::String, "`next` of the page before")
            .query("state", Type::String, "Only jobs in this state")
            .query("live", Type::Boolean, "Only jobs that have not ended")
            .answers::<JobList>(200, "A page of jobs"),
        Route::new(&[Get], "/v1/jobs/{job}", get(job), "show_job", "One job")
            .answers::<JobView>(200, "The job")
            .fails(&[no_job, damaged]),
        Route::new(&[Get], "/v1/jobs/{job}/attempts", get(attempts), "list_attempts", "The attempts of a job")
            .answers::<AttemptList>(200, "The newest attempts")
            .fails(&[no_job, damaged]),
        Route::new(&[Get], "/v1/jobs/{job}/tasks", get(tasks), "list_tasks", "The tasks of the present attempt")
            .answers::<TaskList>(200, "The tasks")
            .fails(&[no_job, damaged]),
        Route::new(&[Put], "/v1/jobs/{job}/desired", put(wish::want_job), "want_job", "Run, stop, rescale or cancel a job")
            .says(
                "The job is named by its id. Idempotent: canceling again changes nothing, a stop names its \
                 savepoint, and a restart names the attempt that is to be over, so that a repeated one restarts \
                 nothing twice. Answered when the wish is written down; it is carried out by any leader.",
            )
            .takes::<WantedJob>("What is wanted")
            .answers::<JobView>(200, "The job, after the wish is written down")
            .fails(&[no_job, (409, "Not as things stand: it has ended, or there are not so many slots, for example"), damaged]),
        Route::new(&[Put], "/v1/jobs/{job}/savepoints/{savepoint}", put(savepoints::make), "make_savepoint", "Make a savepoint")
            .says(
                "The job is named by its id, and goes on. The client draws the id of the savepoint before its \
                 first try, and repeats the request until it is answered with 200.",
            )
            .answers::<SavepointView>(200, "It is there")
            .answers::<JobView>(202, "It is being made; `checkpoints` says how far it is")
            .fails(&[no_job, (409, "Not as things stand: the job has ended, or another wish is being carried out"), damaged]),
        Route::new(&[Get], "/v1/savepoints", get(savepoints::list), "list_savepoints", "Savepoints, in the order of their ids")
            .says("Those that jobs have, and those of removed jobs, of which only the files are left.")
            .query("limit", Type::Integer, "Most savepoints on the page: 1 to 1000, usually 100")
            .query("after", Type::String, "`next` of the page before")
            .answers::<SavepointList>(200, "A page of savepoints"),
        Route::new(&[Get], "/v1/savepoints/{savepoint}", get(savepoints::show), "show_savepoint", "One savepoint")
            .answers::<SavepointView>(200, "The savepoint")
            .fails(&[(404, "No such savepoint"), (409, "Another version of this program wrote it")]),
        Route::new(&[Delete], "/v1/savepoints/{savepoint}", delete(savepoints::remove), "remove_savepoint", "Remove a savepoint and its files")
            .says("Idempotent: a savepoint that is gone is gone.")
            .gives(204, &[], "It is removed")
            .fails(&[(409, "A job needs it: it has started from it, or would restart from it")]),
        Route::new(&[Delete], "/v1/jobs/{job}", delete(remove), "remove_job", "Forget a job that has ended")
            .says("The job is named by its id. Idempotent: a job that is gone is gone.")
            .gives(204, &[], "It is forgotten")
            .fails(&[(409, "It has not ended"), damaged]),
        Route::new(&[Get], "/v1/cluster", get(cluster), "show_cluster", "The leader, all nodes, and slots")
            .answers::<ClusterView>(200, "The cluster"),
        Route::new(&[Get], "/v1/nodes", get(nodes), "list_nodes", "JobManagers and TaskManagers")
            .answers::<NodeList>(200, "The nodes"),
        Route::new(&[Put], "/v1/nodes/{node}/desired", put(want_node), "want_node", "Drain or forget a TaskManager")
            .takes::<WantedNode>("What is wanted")
            .gives(204, &[], "It is written down")
            .fails(&[(404, "No such TaskManager"), (409, "Not as things stand")]),
    ]);
    routes
}

#[derive(Deserialize)]
struct Page {
    limit: Option<usize>,
    after: Option<String>,
    state: Option<JobState>,
    #[serde(default)]
    live: bool,
}

async fn jobs(State(led): State<Led>, Query(page): Query<Page>) -> Answered<JobList> {
    let limit = page.limit.unwrap_or(USUAL_JOBS);
    if !(1..=MOST_JOBS).contains(&limit) {
        let detail = format!("limit is {limit}; it must be 1 to {MOST_JOBS}.");
        return Err(Problem::bad_request(detail));
    }
    // Before the jobs: if it was complete then, so are they.
    let is_complete = led.cluster().await?.is_complete;
    let mut jobs = match led.ask(Question::Jobs).await? {
        Answer::Jobs(jobs) => jobs,
        other => return Err(unexpected(other)),
    };
    jobs.retain(|job| page.state.is_none_or(|state| job.state == state));
    jobs.retain(|job| !(page.live && job.state.is_terminal()));
    jobs.sort_by_cached_key(|job| std::cmp::Reverse(place(job)));
    if let Some(after) = page.after {
        jobs.retain(|job| place(job) < after);
    }
    let next = jobs.get(limit).map(|_| place(&jobs[limit - 1]));
    jobs.truncate(limit);
    for job in &mut jobs {
        job.attempts.clear();
        job.spec = None;
    }
    Ok(Json(JobList {
        jobs,
        next,
        is_complete,
    }))
}

/// Where a job is in the order of all: by submission, and by id if that was at the same time.
fn place(job: &JobView) -> String {
    format!("{}~{}", job.submitted_at, job.id)
}

async fn job(State(led): State<Led>, Path(job): Path<String>) -> Answered<JobView> {
    led.named(job).await.map(Json)
}

async fn attempts(State(led): State<Led>, Path(job): Path<String>) -> Answered<AttemptList> {
    let job = led.named(job).await?;
    Ok(Json(AttemptList {
        attempt: job.attempt,
        ended: job.attempts,
    }))
}

async fn tasks(State(led): State<Led>, Path(job): Path<String>) -> Answered<TaskList> {
    let job = led.named(job).await?;
    Ok(Json(TaskList {
        attempt: job.attempt,
        tasks: job.tasks,
    }))
}

async fn remove(State(led): State<Led>, Path(job): Path<String>) -> Result<StatusCode, Problem> {
    let id = by_id(&job)?;
    match led.ask(Question::Remove(id)).await? {
        Answer::Done => {}
        // It was archived; or it is gone, as was wanted: the answer to an earlier try may have been
        // lost.
        Answer::NotFound(_) => {
            if let Some(record) = archive::find(&led.blobs, id).await {
                let remove = || led.blobs.remove_job(id, record.incarnation);
                while remove()
                    .await
                    .map_err(|error| Problem::of_blobs(&error))?
                    .more
                {}
            }
        }
        other => return Err(unexpected(other)),
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn cluster(State(led): State<Led>) -> Answered<ClusterView> {
    led.cluster().await.map(Json)
}

async fn nodes(State(led): State<Led>) -> Answered<NodeList> {
    let nodes = led.cluster().await?.nodes;
    Ok(Json(NodeList { nodes }))
}

async fn want_node(
    State(led): State<Led>,
    Path(node): Path<String>,
    body: Body,
) -> Result<StatusCode, Problem> {
    let wanted: WantedNode = body::json(body, "what is wanted of the node").await?;
    let question = match wanted {
        WantedNode::Draining {} => Question::Drain(node),
        WantedNode::Forgotten {} => Question::Forget(node),
    };
    match led.ask(question).await? {
        Answer::Done => Ok(StatusCode::NO_CONTENT),
        other => Err(unexpected(other)),
    }
}

/// Changes name a job by its id: the name may be another job's by the time they arrive.
pub(super) fn by_id(job: &str) -> Result<JobId, Problem> {
    job.parse().map_err(|_| {
        Problem::bad_request(format!(
            "{job:?} is not the id of a job: 32 hexadecimal digits in lower case. Changes need the id, as a name may be \
             another job's by the time they arrive; GET /v1/jobs/NAME says the id."
        ))
    })
}

impl Led {
    pub(super) async fn ask(&self, question: Question) -> Result<Answer, Problem> {
        let Some(leader) = &self.leader else {
            return Err(ended());
        };
        let only_reads = only_reads(&question);
        match tokio::time::timeout(LONGEST_QUESTION, leader.ask(question)).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(ended()),
            Err(_) => Err(late(only_reads)),
        }
    }

    pub(super) async fn job(&self, question: Question) -> Result<JobView, Problem> {
        match self.ask(question).await? {
            Answer::Job(job) => Ok(*job),
            other => Err(unexpected(other)),
        }
    }

    /// By its id, also if it was archived, or by its name.
    async fn named(&self, job: String) -> Result<JobView, Problem> {
        let Ok(id) = job.parse() else {
            return self.job(Question::JobNamed(job)).await;
        };
        let answer = match self.ask(Question::Job(id)).await? {
            Answer::Job(job) => return Ok(*job),
            other => other,
        };
        if matches!(answer, Answer::NotFound(_))
            && let Some(record) = archive::find(&self.blobs, id).await
        {
            return Ok(view::of_record(&record, self.cluster().await?.epoch));
        }
        Err(unexpected(answer))
    }

    pub(super) async fn cluster(&self) -> Result<ClusterView, Problem> {
        match self.ask(Question::Cluster).await? {
            Answer::Cluster(cluster) => Ok(*cluster),
            other => Err(unexpected(other)),
        }
    }
}

/// Whether a question changes nothing.
fn only_reads(question: &Question) -> bool {
    match question {
        Question::Jobs
        | Question::Job(_)
        | Question::JobNamed(_)
        | Question::Cluster
        | Question::Savepoints => true,
        Question::Cancel(_)
        | Question::Restart(_)
        | Question::Suspend { .. }
        | Question::Resume(_)
        | Question::Rescale { .. }
        | Question::Savepoint { .. }
        | Question::RemoveSavepoint(_)
        | Question::Remove(_)
        | Question::Drain(_)
        | Question::Forget(_) => false,
    }
}

/// The leader has not answered a question.
fn late(only_reads: bool) -> Problem {
    let what = format!(
        "The leader did not answer within {} s: the store may be slow, and the record not open yet.",
        LONGEST_QUESTION.as_secs()
    );
    match only_reads {
        true => Problem::unavailable(
            "slow",
            "The leader did not answer in time",
            format!("{what} Nothing was changed: ask again."),
        ),
        false => Problem::unknown(format!("{what} Ask again.")),
    }
}

/// What else than the wanted may be answered.
pub(super) fn unexpected(answer: Answer) -> Problem {
    match answer {
        Answer::NotFound(what) => Problem::not_found(what),
        Answer::Conflict(why) => Problem::conflict(why),
        Answer::Damaged(why) => Problem::damaged(why),
        Answer::Unknown(why) => Problem::unknown(why),
        Answer::Jobs(_)
        | Answer::Job(_)
        | Answer::Savepoints(_)
        | Answer::Cluster(_)
        | Answer::Done => {
            tracing::error!(
                "the leader answered another question than was asked; this is a fault of this program"
            );
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "A fault of this program",
                "The leader answered another question than was asked. Please report it.",
            )
        }
    }
}

/// `NodeLayer` replaces this answer: the term is over.
fn ended() -> Problem {
    Problem::unknown("This node leads no more. Ask again.")
}

#[cfg(test)]
mod tests {
    use super::super::problem::Processed;
    use super::*;

    #[test]
    fn a_late_answer_leaves_no_doubt_whether_a_question_that_reads_changed_something() {
        let late = |question| late(only_reads(&question));
        let read = late(Question::JobNamed("job".into()));
        assert_eq!(read.processed, Some(Processed::No));
        assert!(read.detail.contains("Nothing was changed"), "{read:?}");
        let wish = late(Question::Cancel(JobId::new(1)));
        assert_eq!(wish.processed, Some(Processed::Unknown));
    }
}
