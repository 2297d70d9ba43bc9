//! The leading JobManager is killed, again and again, under a running job.

use std::path::Path;
use std::time::Duration;

use super::client;
use super::nodes::{Nodes, pids};
use crate::args::ClusterArgs;
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};
use crate::{Failure, stopwatch};

/// Of the job, one or two on each of three TaskManagers.
const TASKS: u32 = 4;

/// Longest pause before a round: rounds begin at different moments of the renewal period.
const LONGEST_PAUSE: Duration = Duration::from_millis(300);

pub(super) async fn measure(
    above: &Path,
    program: &Path,
    args: &ClusterArgs,
) -> Result<Vec<Figure>, Failure> {
    let mut progress = Progress::new("kill -9 of the leading JobManager");
    let mut nodes = Nodes::start(program, above, 3, 2).await?;
    let (job, _) = nodes.submit(TASKS, false).await?;
    let path = format!("/v1/jobs/{job}");
    let tasks = nodes.arrivals(TASKS).await?;
    let before = client::until(nodes.any(), &path, |job| job["state"] == "running").await?;
    let before = pids(&before)?;
    let mut answered = Vec::new();
    for round in 0..args.rounds {
        tokio::time::sleep(pause(round)).await;
        let killed = nodes.kill_leader().await?;
        let answer = client::get(nodes.any(), &path).await?;
        answered.push(stopwatch::now() - killed);
        if answer["attempt"] != 1 {
            return Err(format!("the job was restarted in round {round}: {answer}").into());
        }
        nodes.start_job_manager()?;
        nodes.until_all_are_there().await?;
        progress.step(|| format!("{} of {} rounds", round + 1, args.rounds));
    }
    let after = client::until(nodes.any(), &path, |job| job["state"] == "running").await?;
    let after = pids(&after)?;
    let restarted = after.iter().zip(&before).filter(|(a, b)| a != b);
    let restarted = restarted.count();
    let mut lost = 0;
    for rank in 0..TASKS {
        lost += lines_lost(&nodes, &path, rank).await?;
    }
    drop((tasks, progress));
    let mut figures = Vec::new();
    if let Some(summary) = Summary::of_millis(answered) {
        let what = "kill -9 of the leading JobManager to the next answer of the API";
        figures.push(Figure::new(
            what,
            "ms",
            summary,
            [(Statistic::Median, 50.0)],
        ));
    }
    for (what, count) in [
        (format!("· tasks restarted, of {TASKS}"), restarted as f64),
        ("· log lines lost".into(), lost as f64),
    ] {
        if let Some(summary) = Summary::of([count]) {
            figures.push(Figure::new(what, "", summary, [(Statistic::Max, 0.0)]));
        }
    }
    Ok(figures)
}

/// How many of the numbers that a task printed are missing in its log.
async fn lines_lost(nodes: &Nodes, job: &str, rank: u32) -> Result<u64, Failure> {
    let path = format!("{job}/tasks/{rank}/logs");
    let answered = client::ask(nodes.any(), hyper::Method::GET, &path, None).await?;
    let text = String::from_utf8_lossy(&answered.body);
    let numbers: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    let last = numbers
        .last()
        .ok_or_else(|| format!("{path} is empty: {text}"))?;
    Ok(last + 1 - numbers.len() as u64)
}

/// Spread over the renewal period, without chance: rounds can be compared.
fn pause(round: u32) -> Duration {
    LONGEST_PAUSE * (round * 7 % 10) / 10
}
