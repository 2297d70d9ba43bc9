//! `incumbent job run`: uploads, submits, and waits if it is told to.

use std::process::ExitCode;
use std::time::Duration;

use hyper::Method;
use incumbent_cluster_core::view::JobView;
use incumbent_cluster_core::{CauseKind, JobId, JobState};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::args::RunJobArgs;
use super::describe::standing;
use super::find::{look, path};
use super::spec::{Wanted, wanted};
use super::wait::until_ended;
use super::waiting::Waiting;
use super::{artifact, logs, outcome, restore, show};
use crate::cluster::client::{Ask, USUAL};
use crate::cluster::client::{Client, ClientError};
use crate::diagnostics::{self, say};
use crate::exit::{Code, Failure};
use crate::show::line;

/// The exit code of shells for a program that was ended by Ctrl-C.
pub(super) const INTERRUPTED: u8 = 130;

/// How long the answer waits for the job to run, or for a reason why it does not yet.
const GLANCE: Duration = Duration::from_secs(2);

/// When a reason to wait is taken for one. Until then it may be that nobody has looked yet.
const SETTLED: Duration = Duration::from_millis(500);

/// How often the job is looked at meanwhile.
const GLANCES: Duration = Duration::from_millis(20);

pub(super) async fn run(args: RunJobArgs) -> Result<ExitCode, Failure> {
    if !args.wait && !args.follow {
        let (submitted, client) = submit(&args).await?;
        let job = glance(&client, submitted).await;
        refused(&job)?;
        if args.output.is_json() {
            show::print(&job, args.output)?;
        } else {
            line(told(&job, &args))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    wait(&args).await.map_err(Failure::of_run)
}

/// Submits the job, and returns it as it is written down.
async fn submit(args: &RunJobArgs) -> Result<(JobView, Client), Failure> {
    let id = match &args.id {
        Some(text) => text
            .parse()
            .map_err(|error: incumbent_cluster_core::BadId| {
                Failure::new(error.to_string()).code(Code::Usage)
            })?,
        // Drawn before the first try, so that a repeated one makes no second job.
        None => JobId::new(rand::random()),
    };
    let Wanted {
        mut spec,
        upload,
        restore,
    } = wanted(args, id)?;
    let client = Client::new(&args.cluster)?;
    if let Some(from) = &restore {
        spec.restore = Some(restore::resolve(&client, from).await?);
    }
    if let Some(file) = &upload {
        spec.artifact = Some(artifact::upload(&client, file).await?);
    }
    let ask = Ask::new(Method::PUT, path(&id.to_string())).json(&spec);
    let submitted: JobView = client.json(&ask).await?;
    Ok((submitted, client))
}

/// Looks at the job until it runs, has ended, or says why not; for two seconds at most.
pub(super) async fn glance(client: &Client, submitted: JobView) -> JobView {
    let (settled, until) = (Instant::now() + SETTLED, Instant::now() + GLANCE);
    let mut latest = submitted;
    loop {
        let is_waiting = matches!(latest.state, JobState::Waiting | JobState::Restarting);
        let has_reason = !latest.why.is_empty() && Instant::now() >= settled;
        if !is_waiting || has_reason {
            return latest;
        }
        match tokio::time::timeout_at(until, look(client, &latest.id)).await {
            Ok(Ok(view)) => latest = view,
            // It is submitted. That nobody leads for a moment is no error.
            Ok(Err(ClientError::Problem(_) | ClientError::NoNode(_) | ClientError::BrokenOff)) => {}
            Ok(Err(ClientError::Answer(_))) | Err(_) => return latest,
        }
        tokio::time::sleep(GLANCES).await;
        if Instant::now() >= until {
            return latest;
        }
    }
}

/// Whether the cluster has refused it: names are compared when the leader sees it.
fn refused(job: &JobView) -> Result<(), Failure> {
    match &job.cause {
        Some(cause) if job.state == JobState::Failed && cause.kind == CauseKind::Refused => {
            Err(Failure::new(cause.message.clone()).code(Code::Refused))
        }
        _ => Ok(()),
    }
}

/// What was submitted, and what to do next.
fn told(job: &JobView, args: &RunJobArgs) -> String {
    let nodes: Vec<_> = args
        .cluster
        .cluster
        .iter()
        .map(ToString::to_string)
        .collect();
    let nodes = nodes.join(",");
    let flag = if nodes == USUAL || std::env::var_os("INCUMBENT_CLUSTER").is_some() {
        String::new()
    } else {
        format!(" --cluster {nodes}")
    };
    let name = &job.name;
    let is_checkpointing = job
        .spec
        .as_ref()
        .is_some_and(|spec| spec.checkpoints.is_some());
    let stop = match is_checkpointing {
        true => format!("\nstop    incumbent job stop {name}{flag}"),
        false => String::new(),
    };
    format!(
        "{}\nid      {}\nlog     incumbent job logs {name} --follow{flag}\nwhy     incumbent job why {name}{flag}{stop}\nend     \
         incumbent job cancel {name}{flag}",
        standing(job),
        job.id
    )
}

async fn wait(args: &RunJobArgs) -> Result<ExitCode, Failure> {
    // From the beginning: a signal must not end this program without a word.
    let mut interrupt = signal(SignalKind::interrupt())
        .map_err(|cause| Failure::new("cannot listen for signals").because(cause))?;
    let (job, client) = tokio::select! {
        submitted = submit(args) => submitted?,
        _ = interrupt.recv() => {
            say("interrupted before the cluster has answered; `incumbent job ls` shows whether the job is there");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    let (id, name) = (job.id.clone(), job.name.clone());
    let is_terminal = diagnostics::is_terminal();
    let (mut last, mut waiting) = (String::new(), Waiting::default());
    let tell = |view: &JobView| {
        if !is_terminal {
            // In a pipe, only what a person would look for: why nothing happens.
            if let Some(text) = waiting.step(view, Instant::now()) {
                say(text);
            }
            return;
        }
        let now = standing(view);
        if now != last {
            say(&now);
        }
        last = now;
    };
    let ended = async {
        if args.follow {
            let everything = logs::Choice::everything();
            let log = logs::follow(&client, &id, &everything);
            let (_, view) = tokio::try_join!(log, until_ended(&client, &id, tell))?;
            Ok(view)
        } else {
            until_ended(&client, &id, tell).await
        }
    };
    let view = tokio::select! {
        view = ended => view?,
        _ = interrupt.recv() => {
            say(format!(
                "{name} goes on; look at it with `incumbent job show {name}`, end it with `incumbent job cancel {name}`"
            ));
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    refused(&view)?;
    if !args.follow && args.output.is_json() {
        show::print(&view, args.output)?;
    } else if !is_terminal || !args.follow {
        say(standing(&view));
    }
    Ok(ExitCode::from(
        outcome::exit_code(&view).unwrap_or(outcome::LOST),
    ))
}
