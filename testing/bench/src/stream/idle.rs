//! What a job takes of the processors while no record comes.

use std::time::Duration;

use super::INTERVAL_MS;
use super::account::Of;
use super::ours::Ours;
use crate::cluster::client;
use crate::cluster::nodes::pids;
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};
use crate::{Failure, stopwatch};

/// How long the processors are watched for each value: Linux counts in hundredths of a second.
const WATCHED: Duration = Duration::from_secs(10);

/// In percent of a core, for all tasks of a job together.
const AIM: f64 = 1.0;

pub(super) async fn measure(
    ours: &mut Ours,
    tasks: u32,
    turns: u32,
) -> Result<Vec<Figure>, Failure> {
    let mut progress = Progress::new("an idle job");
    // The first record comes after a day.
    let arguments = ["--keys", "1", "--rate", "0.00001"];
    let job = ours
        .submit("counts", &arguments, tasks, INTERVAL_MS)
        .await?;
    ours.checkpoint_after(&job, 2).await?;
    let view = client::get(ours.nodes.any(), &job.path).await?;
    let (of_job, of_all) = (Of::Only(of_tasks(&view)?), Of::AllBut(Vec::new()));
    let (mut job_took, mut all_took) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        let begin = stopwatch::now();
        let before = (of_job.cpu()?, of_all.cpu()?);
        tokio::time::sleep(WATCHED).await;
        let percent = |after: Duration, before: Duration| {
            after.saturating_sub(before).as_secs_f64() * 100.0 / begin.elapsed().as_secs_f64()
        };
        job_took.push(percent(of_job.cpu()?, before.0));
        all_took.push(percent(of_all.cpu()?, before.1));
        progress.step(|| format!("{} of {turns} turns", turn + 1));
    }
    // It has kept its checkpoints up.
    let number = view["checkpoint"]["number"].as_u64().unwrap_or_default();
    ours.checkpoint_after(&job, number).await?;
    ours.cancel(&job).await?;
    std::fs::remove_dir_all(&job.output)?;
    let figure = |what: &str, took, aims: Option<(Statistic, f64)>| {
        Summary::of(took).map(|found| Figure::new(what, "% of a core", found, aims))
    };
    let job = "the tasks of an idle job, with a checkpoint each second";
    let all = "the same, with its JobManager and three TaskManagers";
    let job = figure(job, job_took, Some((Statistic::Median, AIM)));
    Ok(job.into_iter().chain(figure(all, all_took, None)).collect())
}

fn of_tasks(view: &serde_json::Value) -> Result<Vec<u32>, Failure> {
    let pids = pids(view)?.into_iter();
    Ok(pids.map(u32::try_from).collect::<Result<_, _>>()?)
}
