//! What is wanted of a job: `PUT /v1/jobs/{job}/desired`.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use incumbent_cluster_core::leader::Question;
use incumbent_cluster_core::view::JobView;
use incumbent_cluster_core::{Desired, JobId, JobState, MOST_TASKS, SavepointId};

use super::body;
use super::led::{Answered, Led, by_id};
use super::problem::Problem;
use super::types::WantedJob;

pub(super) async fn want_job(
    State(led): State<Led>,
    Path(job): Path<String>,
    body: Body,
) -> Answered<JobView> {
    let wanted: WantedJob = body::json(body, "what is wanted of the job").await?;
    let id = by_id(&job)?;
    let view = match wanted {
        WantedJob::Canceled {} => led.job(Question::Cancel(id)).await?,
        WantedJob::Suspended { savepoint } => suspend(&led, id, savepoint).await?,
        WantedJob::Running {
            after_attempt,
            tasks,
        } => match (after_attempt, tasks) {
            (None, None) => led.job(Question::Resume(id)).await?,
            (Some(after), None) => restart(&led, id, after).await?,
            (None, Some(tasks)) => rescale(&led, id, tasks).await?,
            (Some(_), Some(_)) => {
                return Err(Problem::bad_request(
                    "Either after_attempt, which restarts, or tasks, which begins another attempt anyway. Nothing was done.",
                ));
            }
        },
    };
    Ok(Json(view))
}

async fn restart(led: &Led, id: JobId, after: u32) -> Result<JobView, Problem> {
    let now = led.job(Question::Job(id)).await?;
    if now.attempt > after {
        return Ok(now);
    }
    if now.attempt < after {
        return Err(Problem::conflict(format!(
            "Job {id} has not come to attempt {after} yet; its present attempt is {}. Look at the job, and try again.",
            now.attempt
        )));
    }
    led.job(Question::Restart(id)).await
}

async fn suspend(led: &Led, id: JobId, savepoint: Option<SavepointId>) -> Result<JobView, Problem> {
    let now = led.job(Question::Job(id)).await?;
    let is_checkpointing = (now.spec.as_ref()).is_some_and(|spec| spec.checkpoints.is_some());
    let savepoint = match savepoint {
        // Nothing has this name: it only makes the same wish the same intent.
        _ if !is_checkpointing => SavepointId::new(id.get()),
        Some(savepoint) => savepoint,
        None => {
            return Err(Problem::bad_request(format!(
                "Job {id} is stopped with a savepoint, whose id is missing: draw 32 hexadecimal digits before the first \
                 try, and repeat the request with the same ones. Nothing was done."
            )));
        }
    };
    let job = id;
    led.job(Question::Suspend { job, savepoint }).await
}

/// Another number of tasks, and a suspended job is resumed with it. Each step may be repeated, so
/// the whole may be.
async fn rescale(led: &Led, id: JobId, tasks: u32) -> Result<JobView, Problem> {
    if !(1..=MOST_TASKS).contains(&tasks) {
        return Err(Problem::bad_request(format!(
            "tasks is {tasks}; it must be 1 to {MOST_TASKS}. Nothing was done."
        )));
    }
    let now = led.job(Question::Job(id)).await?;
    if now.desired == Desired::Suspended && now.state != JobState::Suspended {
        // There is one intent at a time: the one to stop it is withdrawn.
        led.job(Question::Resume(id)).await?;
    }
    let job = id;
    let rescaled = led.job(Question::Rescale { job, tasks }).await?;
    if rescaled.desired == Desired::Suspended {
        return led.job(Question::Resume(id)).await;
    }
    Ok(rescaled)
}
