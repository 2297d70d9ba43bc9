//! A thousand jobs of one sleeping task: what they cost a JobManager, and its successor.

use std::path::Path;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;

use super::client;
use super::nodes::{Nodes, live};
use crate::args::ClusterArgs;
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};
use crate::{Failure, stopwatch};

/// How many submissions are under way.
const AT_A_TIME: usize = 16;

/// For how long the guards are watched.
const IDLE: Duration = Duration::from_secs(10);

pub(super) async fn measure(
    above: &Path,
    program: &Path,
    args: &ClusterArgs,
) -> Result<Vec<Figure>, Failure> {
    let mut progress = Progress::new(format!("{} jobs", args.jobs));
    let mut nodes = Nodes::start(program, above, 2, args.jobs.div_ceil(2)).await?;
    let command = json!(["sleep", "100000"]);
    let submitted = stream::iter(0..args.jobs)
        .map(|_| nodes.submit_command(1, false, &command))
        .buffer_unordered(AT_A_TIME);
    let begin = stopwatch::now();
    let submitted: Vec<_> = submitted.try_collect().await?;
    let all_run = |nodes: &Nodes| {
        let (any, count) = (nodes.any(), submitted.len());
        async move {
            client::until(any, "/v1/cluster", |cluster| {
                cluster["is_complete"] == true
                    && cluster["slots"].as_u64()
                        == cluster["slots_free"]
                            .as_u64()
                            .map(|free| free + count as u64)
                    && live(cluster, "task-manager") == 2
            })
            .await
        }
    };
    all_run(&nodes).await?;
    let started = begin.elapsed();
    progress.step(|| "all were started".into());
    let memory = nodes.memory_of_leader().await?;
    let guards = guards_cpu().await?;
    let killed = nodes.kill_leader().await?;
    all_run(&nodes).await?;
    let adopted = stopwatch::now() - killed;
    let memory_of_next = nodes.memory_of_leader().await?;
    drop(progress);
    let jobs = args.jobs;
    let mut figures = Vec::new();
    let mut add = |what: String, unit, value: f64, most: Option<f64>| {
        if let Some(summary) = Summary::of([value]) {
            let target = most.map(|most| (Statistic::Max, most));
            figures.push(Figure::new(what, unit, summary, target));
        }
    };
    let seconds = started.as_secs_f64();
    add(
        format!("{jobs} jobs submitted, and all tasks started"),
        "s",
        seconds,
        None,
    );
    add(
        format!("JobManager with {jobs} jobs"),
        "MiB",
        memory,
        Some(60.0),
    );
    add(
        "· the next one, which adopted them".into(),
        "MiB",
        memory_of_next,
        Some(60.0),
    );
    let seconds = adopted.as_secs_f64();
    add(
        format!("kill -9 of the JobManager to {jobs} jobs adopted"),
        "s",
        seconds,
        Some(2.0),
    );
    add(
        format!("{jobs} idle guards together"),
        "% of a core",
        guards,
        Some(5.0),
    );
    Ok(figures)
}

/// What all guards on this machine take of one processor, in percent.
async fn guards_cpu() -> Result<f64, Failure> {
    let before = guard_ticks()?;
    let begin = stopwatch::now();
    tokio::time::sleep(IDLE).await;
    let ticks = guard_ticks()?.saturating_sub(before);
    // Linux counts in hundredths of a second for programs, whatever the kernel uses.
    Ok(ticks as f64 / begin.elapsed().as_secs_f64())
}

fn guard_ticks() -> Result<u64, Failure> {
    let mut ticks = 0;
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let Ok(line) = std::fs::read(path.join("cmdline")) else {
            continue;
        };
        if line.split(|byte| *byte == 0).nth(1) != Some(b"__guard") {
            continue;
        }
        // The process may end meanwhile.
        let Ok(stat) = std::fs::read_to_string(path.join("stat")) else {
            continue;
        };
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let field = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
        ticks += field(11).unwrap_or(0) + field(12).unwrap_or(0);
    }
    Ok(ticks)
}
