//! `incumbent job stop`: a savepoint, everything published, suspended.

use std::process::ExitCode;

use clap::Args;
use clap::builder::BoolishValueParser;
use incumbent_cluster_core::view::JobView;
use incumbent_cluster_core::{Desired, JobState, SavepointId};
use incumbent_cluster_node::api::words;
use serde_json::json;

use super::args::JobRef;
use super::describe::{bytes_of, reason, standing};
use super::find::find;
use super::progress::{Interrupt, until, want};
use super::show;
use crate::cluster::client::{Client, ClusterArgs};
use crate::exit::{Code, Failure};
use crate::settings::Output;
use crate::show::line;

const HELP: &str = "\
A job that checkpoints makes a savepoint, publishes everything that it has staged, and is then suspended: its
tasks have ended, and it takes no slots. `incumbent job resume` goes on from there, also with another number of
tasks; the savepoint also starts other jobs (`incumbent job run --restore ID`), until it is removed
(`incumbent savepoint rm ID`). A job without checkpoints gets SIGTERM, and begins anew when it is resumed.

This waits until the job is suspended. Ctrl-C ends the waiting only: what is written down is carried out,
whichever JobManager leads. `incumbent job resume` withdraws a stop that has no savepoint yet.

Exit codes: 0 suspended, 4 it has ended otherwise or the stop was withdrawn, 130 interrupted; others as in
`incumbent job --help`.";

/// Stop a job with a savepoint; it can be resumed.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct StopArgs {
    #[command(flatten)]
    pub(crate) job: JobRef,

    /// The id of the savepoint, 32 hexadecimal digits. The same stop with the same id may be
    /// repeated [default: drawn at random]
    #[arg(long, value_name = "ID", env = "INCUMBENT_JOB_SAVEPOINT")]
    pub(crate) savepoint: Option<String>,

    /// Return when it is written down.
    #[arg(long, env = "INCUMBENT_JOB_NO_WAIT", value_parser = BoolishValueParser::new())]
    pub(crate) no_wait: bool,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: Output,
}

pub(super) async fn stop(args: StopArgs) -> Result<ExitCode, Failure> {
    let mut interrupt = Interrupt::new()?;
    let drawn = savepoint_id(args.savepoint.as_deref())?;
    let client = Client::new(&args.cluster)?;
    let job = find(&client, &args.job.job).await?;
    let name = job.name.clone();
    let goes_on = format!(
        "{name} goes on being stopped; look at it with `incumbent job show {name}`, withdraw it with \
         `incumbent job resume {name}`"
    );
    let stopping = async {
        // Somebody has stopped it: it is only waited for.
        let view: JobView = match job.desired {
            Desired::Suspended if args.savepoint.is_none() => job,
            _ => {
                let wanted = json!({ "state": "suspended", "savepoint": drawn.to_string() });
                want(&client, &job.id, "desired", &wanted).await?
            }
        };
        let view = match args.no_wait {
            true => view,
            false => until(&client, &view.id, step, outcome).await?,
        };
        print(&view, args.output)?;
        Ok(ExitCode::SUCCESS)
    };
    interrupt.or(Box::pin(stopping), &goes_on).await
}

/// The id that was given, or a new one. Drawn before the first try, so that a repeated one makes
/// no second savepoint.
pub(super) fn savepoint_id(given: Option<&str>) -> Result<SavepointId, Failure> {
    match given {
        None => Ok(SavepointId::new(rand::random())),
        Some(text) => text
            .parse()
            .map_err(|error: incumbent_cluster_core::BadId| {
                Failure::new(error.to_string()).code(Code::Usage)
            }),
    }
}

/// What came of it, if anything did.
fn outcome(job: &JobView) -> Option<Result<JobView, Failure>> {
    let refused = |why: &str| {
        let why = format!("{} was not stopped: {why}", job.name);
        Some(Err(Failure::new(why).code(Code::Refused)))
    };
    match job.state {
        JobState::Suspended => Some(Ok(job.clone())),
        JobState::Finished => refused("it had finished before"),
        JobState::Canceled => refused("it was canceled"),
        JobState::Failed => refused(&format!("it has failed{}", reason(job))),
        _ if job.desired == Desired::Running => refused("the stop was withdrawn"),
        JobState::Waiting | JobState::Running | JobState::Restarting | JobState::Stopping => None,
    }
}

/// How far it is.
fn step(job: &JobView) -> String {
    let name = &job.name;
    let checkpoints = job.checkpoints.as_ref();
    let pending = checkpoints.and_then(|all| all.pending.as_ref());
    match (job.state, pending) {
        (JobState::Stopping, _) => {
            let savepoint = job
                .checkpoint
                .as_ref()
                .and_then(|last| last.savepoint.as_ref());
            match savepoint {
                Some(id) => format!(
                    "{name}: savepoint {id} is committed; publishing what is staged, then the tasks end"
                ),
                None => format!("{name}: its tasks are being ended"),
            }
        }
        (_, Some(pending)) => {
            let what = match &pending.savepoint {
                Some(id) => format!("savepoint {id}"),
                None => format!("checkpoint {}, before the savepoint", pending.number),
            };
            match pending.missing[..] {
                [] => format!("{name}: {what} is being written down"),
                ref missing => format!("{name}: {what} waits for {}", words::ranks(missing)),
            }
        }
        (_, None) => match checkpoints.and_then(|all| all.last_aborted.as_ref()) {
            Some(aborted) if is_newest(job, aborted.number) => {
                format!("{name}: {}; it is tried again", words::aborted(aborted))
            }
            _ => standing(job),
        },
    }
}

fn is_newest(job: &JobView, aborted: u64) -> bool {
    let completed = job.checkpoint.as_ref().map_or(0, |last| last.number);
    aborted > completed
}

fn print(job: &JobView, output: Output) -> Result<(), Failure> {
    if output.is_json() {
        return show::print(job, output);
    }
    line(told(job))?;
    Ok(())
}

/// How it stands, and what to do next.
fn told(job: &JobView) -> String {
    let mut lines = vec![standing(job)];
    let last = job.checkpoint.as_ref();
    if let Some((last, id)) = last.and_then(|last| Some((last, last.savepoint.as_ref()?))) {
        let (number, size) = (last.number, bytes_of(last));
        lines.push(format!("savepoint  {id} (checkpoint {number}, {size})"));
    }
    if job.state == JobState::Suspended {
        lines.push(format!("resume     incumbent job resume {}", job.name));
        if job.checkpoint.is_none() {
            lines.push("note       it has no checkpoint, so it will begin anew".into());
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::describe::tests::job;
    use super::*;

    /// A job that is being stopped, as its leader shows it.
    fn stopping(state: &str, checkpoints: serde_json::Value) -> JobView {
        let mut view = serde_json::to_value(job(state, 1, &["running"])).unwrap();
        view["desired"] = "suspended".into();
        view["checkpoints"] = checkpoints;
        serde_json::from_value(view).unwrap()
    }

    #[test]
    fn each_step_of_a_stop_is_told() {
        let id = "a".repeat(32);
        let none = json!({ "interval_ms": 1000, "completed": [], "pending": null, "last_aborted": null, "aborted_in_row": 0 });
        let mut pending = none.clone();
        pending["pending"] =
            json!({ "number": 7, "for_ms": 12, "missing": [0, 2], "savepoint": id });
        let mut aborted = none.clone();
        aborted["last_aborted"] =
            json!({ "number": 7, "at": "then", "why": "rank 2 was late", "late": [2] });
        for (view, words) in [
            (stopping("running", none.clone()), "hello runs: attempt 1"),
            (stopping("running", pending), "waits for ranks 0 and 2"),
            (
                stopping("running", aborted),
                "rank 2 was late; it is tried again",
            ),
            (stopping("stopping", none), "its tasks are being ended"),
        ] {
            assert!(step(&view).contains(words), "{words:?} in {}", step(&view));
            assert!(outcome(&view).is_none());
        }
    }

    #[test]
    fn a_stop_ends_when_the_job_is_suspended_and_fails_if_it_has_ended_otherwise() {
        let is_ok = |view: &JobView| outcome(view).map(|outcome| outcome.is_ok());
        assert_eq!(is_ok(&stopping("suspended", json!(null))), Some(true));
        for state in ["finished", "failed", "canceled"] {
            assert_eq!(is_ok(&stopping(state, json!(null))), Some(false), "{state}");
        }
        // Withdrawn.
        assert_eq!(is_ok(&job("running", 1, &["running"])), Some(false));
    }
}
