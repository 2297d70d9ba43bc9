//! `incumbent job rescale`: another number of tasks.

use std::process::ExitCode;

use clap::Args;
use clap::builder::BoolishValueParser;
use incumbent_cluster_core::view::{JobView, TaskViewState};
use incumbent_cluster_core::{Desired, JobState};
use incumbent_cluster_node::api::words;
use serde_json::json;

use super::args::JobRef;
use super::describe::{reason, standing};
use super::find::find;
use super::progress::{Interrupt, Steps, until, want};
use super::show;
use crate::cluster::client::{Client, ClusterArgs};
use crate::exit::{Code, Failure};
use crate::settings::Output;
use crate::show::line;

const HELP: &str = "\
A job that checkpoints makes a checkpoint, ends its tasks, and goes on from it in its next attempt with M tasks;
each of these finds the files of all old ranks. It is refused, before anything is stopped, if there are not so
many slots. The tasks of a job without checkpoints are restarted. Restarts are not counted for it.

This waits until all M tasks run. Ctrl-C ends the waiting only: what is written down is carried out, whichever
JobManager leads.

Exit codes: 0 M tasks run, 4 refused or the job has ended meanwhile, 130 interrupted; others as in
`incumbent job --help`.";

/// Give a job another number of tasks.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct RescaleArgs {
    #[command(flatten)]
    pub(crate) job: JobRef,

    /// How many tasks it has from now on.
    #[arg(value_name = "M")]
    pub(crate) tasks: u32,

    /// Return when it is written down.
    #[arg(long, env = "INCUMBENT_JOB_NO_WAIT", value_parser = BoolishValueParser::new())]
    pub(crate) no_wait: bool,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: Output,
}

pub(super) async fn rescale(args: RescaleArgs) -> Result<ExitCode, Failure> {
    let mut interrupt = Interrupt::new()?;
    let client = Client::new(&args.cluster)?;
    let job = find(&client, &args.job.job).await?;
    refuse_stopped(&job, args.tasks)?;
    let (name, tasks) = (job.name.clone(), args.tasks);
    Steps::default().tell(plan(&job, tasks));
    let goes_on = format!(
        "{name} goes on being rescaled to {tasks}; look at it with `incumbent job show {name}`"
    );
    let rescaling = async {
        let wanted = json!({ "state": "running", "tasks": tasks });
        let written: JobView = want(&client, &job.id, "desired", &wanted).await?;
        let view = match args.no_wait {
            true => written,
            false => {
                let outcome = |view: &JobView| outcome(view, tasks);
                until(&client, &job.id, step, outcome).await?
            }
        };
        match args.output.is_json() {
            true => show::print(&view, args.output)?,
            false => drop(line(standing(&view))?),
        }
        Ok(ExitCode::SUCCESS)
    };
    interrupt.or(Box::pin(rescaling), &goes_on).await
}

/// A job that is not to run is not made to run by the way.
fn refuse_stopped(job: &JobView, tasks: u32) -> Result<(), Failure> {
    if job.desired != Desired::Suspended {
        return Ok(());
    }
    let name = &job.name;
    let how = match job.state {
        JobState::Suspended => "is suspended",
        _ => "is being stopped",
    };
    let why = format!(
        "{name} {how}; `incumbent job resume {name} --tasks {tasks}` lets it go on with so many tasks"
    );
    Err(Failure::new(why).code(Code::Refused))
}

/// What will be done.
fn plan(job: &JobView, tasks: u32) -> String {
    let (name, now) = (&job.name, job.task_count());
    let spec = job.spec.as_ref();
    let how = match spec.is_some_and(|spec| spec.checkpoints.is_some()) {
        true => "a checkpoint, then its tasks end, and the next attempt goes on from there",
        false => "it makes no checkpoints, so its tasks end, and the next attempt begins anew",
    };
    format!("{name} goes from {now} to {tasks} tasks: {how}")
}

/// What came of it, if anything did.
fn outcome(job: &JobView, tasks: u32) -> Option<Result<JobView, Failure>> {
    let refused = |why: &str| {
        let why = format!("{} was not rescaled: {why}", job.name);
        Some(Err(Failure::new(why).code(Code::Refused)))
    };
    match job.state {
        JobState::Finished => refused("it had finished before"),
        JobState::Canceled => refused("it was canceled"),
        JobState::Failed => refused(&format!("it has failed{}", reason(job))),
        JobState::Suspended => refused("it was stopped"),
        JobState::Running if has_all(job, tasks) => Some(Ok(job.clone())),
        JobState::Running | JobState::Waiting | JobState::Restarting | JobState::Stopping => None,
    }
}

fn has_all(job: &JobView, tasks: u32) -> bool {
    // One that has finished its part is no less there.
    let is_there = |state| matches!(state, TaskViewState::Running | TaskViewState::Ended);
    job.tasks.len() == tasks as usize && job.tasks.iter().all(|task| is_there(task.state))
}

/// How far it is.
fn step(job: &JobView) -> String {
    let name = &job.name;
    let pending = job
        .checkpoints
        .as_ref()
        .and_then(|all| all.pending.as_ref());
    match (job.state, pending) {
        (JobState::Running, Some(pending)) => match pending.missing[..] {
            [] => format!(
                "{name}: checkpoint {} is being written down",
                pending.number
            ),
            ref missing => format!(
                "{name}: checkpoint {} waits for {}",
                pending.number,
                words::ranks(missing)
            ),
        },
        _ => standing(job),
    }
}

#[cfg(test)]
mod tests {
    use super::super::describe::tests::job;
    use super::*;

    #[test]
    fn a_job_is_rescaled_when_all_its_new_tasks_run() {
        let is_done = |view: &JobView| outcome(view, 2).map(|outcome| outcome.is_ok());
        assert_eq!(is_done(&job("running", 1, &["running"; 3])), None);
        assert_eq!(is_done(&job("restarting", 1, &["ended"; 2])), None);
        assert_eq!(is_done(&job("running", 2, &["running", "starting"])), None);
        assert_eq!(is_done(&job("running", 2, &["running"; 2])), Some(true));
        for state in ["finished", "failed", "canceled", "suspended"] {
            assert_eq!(is_done(&job(state, 2, &[])), Some(false), "{state}");
        }
    }

    #[test]
    fn a_job_that_is_stopped_is_not_started_by_rescaling() {
        let mut stopped = job("suspended", 1, &[]);
        assert!(refuse_stopped(&stopped, 3).is_ok());
        stopped.desired = Desired::Suspended;
        let refused = refuse_stopped(&stopped, 3).unwrap_err();
        assert!(refused.message().contains("job resume hello --tasks 3"));
    }

    #[test]
    fn what_will_be_done_is_said() {
        let plan = plan(&job("running", 1, &["running"; 4]), 2);
        assert!(plan.starts_with("hello goes from 4 to 2 tasks: it makes no checkpoints"));
    }
}
