//! A job is submitted, and later its TaskManager is killed.

use std::path::Path;

use super::client;
use super::nodes::{Nodes, address_of, text};
use crate::Failure;
use crate::args::ClusterArgs;
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};

/// Of each job.
const TASKS: u32 = 2;

pub(super) async fn measure(
    above: &Path,
    program: &Path,
    args: &ClusterArgs,
) -> Result<Vec<Figure>, Failure> {
    let mut progress = Progress::new("submit, and kill -9 of a TaskManager");
    let mut nodes = Nodes::start(program, above, 3, TASKS).await?;
    let (mut starts, mut moves) = (Vec::new(), Vec::new());
    for round in 0..args.rounds {
        let (job, sent) = nodes.submit(TASKS, true).await?;
        let tasks = nodes.arrivals(TASKS).await?;
        starts.push(tasks[tasks.len() - 1].at - sent);
        let path = format!("/v1/jobs/{job}");
        let view = client::until(nodes.any(), &path, |job| job["state"] == "running").await?;
        let victim = address_of(&nodes, text(&view["tasks"][0]["node"])?).await?;
        let killed = nodes.kill_task_manager(victim).await?;
        // The tasks of the old attempt end; those of the new one arrive.
        let next = nodes.arrivals(TASKS).await?;
        if next
            .iter()
            .any(|task| task.attempt != 2 || task.rank >= TASKS)
        {
            return Err(format!("not a second attempt in round {round}").into());
        }
        moves.push(next[next.len() - 1].at - killed);
        nodes.start_task_manager()?;
        nodes.until_all_are_there().await?;
        client::json(
            nodes.any(),
            hyper::Method::PUT,
            &format!("{path}/desired"),
            Some(serde_json::json!({ "state": "canceled" })),
        )
        .await?;
        client::until(nodes.any(), &path, |job| job["state"] == "canceled").await?;
        // A task ends by itself when its arrival is dropped.
        drop((tasks, next));
        progress.step(|| format!("{} of {} rounds", round + 1, args.rounds));
    }
    drop(progress);
    let figure = |what: &str, samples, most| {
        let summary = Summary::of_millis(samples)?;
        Some(Figure::new(
            what,
            "ms",
            summary,
            [(Statistic::Median, most)],
        ))
    };
    let submitted = "job submitted to both tasks running";
    let moved = "kill -9 of a TaskManager to both tasks of the next attempt running";
    let figures = [figure(submitted, starts, 50.0), figure(moved, moves, 150.0)];
    Ok(figures.into_iter().flatten().collect())
}
