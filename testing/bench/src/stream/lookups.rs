//! State of a running job is asked for, through a node that is neither leader nor owner.

use std::time::Duration;

use hyper::Method;

use super::kills::{self, KEYS};
use super::ours::Ours;
use crate::cluster::client;
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};
use crate::{Failure, stopwatch};

/// How many keys are asked for.
const LOOKUPS: u64 = 2000;

/// From one question to the next: the job and the questions do not have the processors to
/// themselves.
const PAUSE: Duration = Duration::from_millis(2);

/// The slowest of a hundred, in milliseconds.
const AIM: f64 = 5.0;

pub(super) async fn measure(ours: &mut Ours, tasks: u32) -> Result<Vec<Figure>, Failure> {
    let mut progress = Progress::new("lookups");
    let job = kills::start(ours, tasks).await?;
    let view = client::get(ours.nodes.any(), &job.path).await?;
    let owners: Vec<&str> = (view["tasks"].as_array().into_iter().flatten())
        .filter_map(|task| task["node"].as_str())
        .collect();
    let cluster = client::get(ours.nodes.any(), "/v1/cluster").await?;
    let bystander = (cluster["nodes"].as_array().into_iter().flatten())
        .filter(|node| node["kind"] == "task-manager" && node["state"] == "live")
        .find(|node| {
            node["name"]
                .as_str()
                .is_some_and(|name| !owners.contains(&name))
        });
    let bystander = bystander.and_then(|node| node["address"].as_str());
    let bystander = bystander.ok_or("each TaskManager runs a task")?.parse()?;
    let mut took = Vec::new();
    for lookup in 0..LOOKUPS {
        // Spread over the keys, without chance.
        let key = lookup * 7919 % KEYS;
        let path = format!("{}/state/counts/{key}?as-of=live", job.path);
        let begin = stopwatch::now();
        let answered = client::ask(bystander, Method::GET, &path, None).await?;
        took.push(begin.elapsed());
        // A key that was not met yet is an answer of its owner, too.
        if !matches!(answered.status.as_u16(), 200 | 404) {
            return Err(format!("{path}: {}", answered.status).into());
        }
        progress.step(|| format!("{lookup} of {LOOKUPS}"));
        tokio::time::sleep(PAUSE).await;
    }
    ours.cancel(&job).await?;
    std::fs::remove_dir_all(&job.output)?;
    let what = "live state of a key, through a node that is neither leader nor owner";
    let aims = [(Statistic::P99, AIM)];
    let found = Summary::of_millis(took);
    Ok(found
        .map(|found| Figure::new(what, "ms", found, aims))
        .into_iter()
        .collect())
}
