//! A worker is killed with -9, and the next record appears in the sink.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::flink::Flink;
use super::ours::{Ours, Running};
use super::{INTERVAL_MS, PATIENCE, sql};
use crate::args::StreamArgs;
use crate::cluster::client;
use crate::cluster::nodes::{address_of, pids, text};
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};
use crate::{Failure, stopwatch};

/// How many keys have a count.
pub(super) const KEYS: u64 = 50_000;

/// How many records there are in a second, so that both keep up.
pub(super) const RATE: u64 = 20_000;

/// How long the job has run before: each key has been met.
const WARM: Duration = Duration::from_secs(10);

/// How often it is looked for a record.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// From the kill to the next record, in milliseconds.
const AIM: f64 = 500.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    Task,
    TaskManager,
}

pub(super) async fn measure(
    ours: &mut Ours,
    flinks: &mut [Flink],
    args: &StreamArgs,
) -> Result<Vec<Figure>, Failure> {
    let mut progress = Progress::new("kill -9 of a worker");
    let (mut tasks, mut managers) = (Vec::new(), Vec::new());
    let mut theirs: Vec<Vec<Duration>> = flinks.iter().map(|_| Vec::new()).collect();
    for round in 0..args.turns {
        tasks.push(kill(ours, Killed::Task, args.tasks).await?);
        managers.push(kill(ours, Killed::TaskManager, args.tasks).await?);
        for (flink, times) in flinks.iter_mut().zip(&mut theirs) {
            let statements = sql::printed_counts(KEYS, RATE);
            times.push(flink.kill(statements, args.tasks, WARM).await?);
        }
        progress.step(|| format!("{} of {} rounds", round + 1, args.turns));
    }
    let mut figures = Vec::new();
    for (what, times) in [("a task", tasks), ("its TaskManager", managers)] {
        let what = format!("kill -9 of {what} to the next record in the sink ({KEYS} keys)");
        let aims = [(Statistic::Median, AIM)];
        figures.extend(Summary::of_millis(times).map(|found| Figure::new(what, "ms", found, aims)));
    }
    for (flink, times) in flinks.iter().zip(theirs) {
        let what = format!("· Flink {}, its TaskManager", flink.version);
        figures.extend(Summary::of_millis(times).map(|found| Figure::new(what, "ms", found, [])));
    }
    Ok(figures)
}

/// A job that counts keys, and shows each count at once.
pub(super) async fn start(ours: &mut Ours, tasks: u32) -> Result<Running, Failure> {
    let (keys, rate) = (KEYS.to_string(), RATE.to_string());
    let arguments = ["--keys", &keys, "--rate", &rate];
    let job = ours
        .submit("counts", &arguments, tasks, INTERVAL_MS)
        .await?;
    let begin = stopwatch::now();
    ours.checkpoint_after(&job, 2).await?;
    tokio::time::sleep(WARM.saturating_sub(begin.elapsed())).await;
    Ok(job)
}

async fn kill(ours: &mut Ours, killed: Killed, tasks: u32) -> Result<Duration, Failure> {
    let job = start(ours, tasks).await?;
    let view = client::get(ours.nodes.any(), &job.path).await?;
    let last = view["checkpoint"]["number"].as_u64().unwrap_or_default();
    ours.checkpoint_after(&job, last).await?;
    // In the middle between two of them.
    tokio::time::sleep(Duration::from_millis(INTERVAL_MS / 2)).await;
    let attempt = view["attempt"].as_u64().ok_or("the job has no attempt")?;
    let at = match killed {
        Killed::Task => {
            let pid = i32::try_from(*pids(&view)?.first().ok_or("the job has no task")?)?;
            let at = stopwatch::now();
            kill_process(Pid::from_raw(pid).ok_or("no process")?, Signal::KILL)?;
            at
        }
        Killed::TaskManager => {
            let name = text(&view["tasks"][0]["node"])?;
            let victim = address_of(&ours.nodes, name).await?;
            ours.nodes.kill_task_manager(victim).await?
        }
    };
    let next = next_record(&job.output, attempt).await? - at;
    ours.cancel(&job).await?;
    if killed == Killed::TaskManager {
        ours.nodes.start_task_manager()?;
        ours.nodes.until_all_are_there().await?;
    }
    std::fs::remove_dir_all(&job.output)?;
    Ok(next)
}

/// When a later attempt has written something. Its files are named `ATTEMPT-RANK`.
async fn next_record(output: &Path, attempt: u64) -> Result<Instant, Failure> {
    let begin = stopwatch::now();
    while begin.elapsed() < PATIENCE {
        for entry in std::fs::read_dir(output)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.split('-').next()?.parse().ok());
            if number.is_some_and(|number: u64| number > attempt) && entry.metadata()?.len() > 0 {
                return Ok(stopwatch::now());
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(format!("no record in {PATIENCE:?}").into())
}
