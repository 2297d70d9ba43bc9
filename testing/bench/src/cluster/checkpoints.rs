//! A job with state: how long a checkpoint takes, another number of tasks, and the way back to the
//! next committed checkpoint after a TaskManager was killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::client;
use super::nodes::{Nodes, address_of, text};
use crate::args::ClusterArgs;
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};
use crate::{Failure, disguise, stopwatch};

const MIB: u64 = 1024 * 1024;

/// Rounds of what takes seconds each.
const MOST_ROUNDS: u32 = 20;

/// After this time something that was expected has not happened.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a task said, when.
struct Said {
    at: Instant,
    rank: u32,
    attempt: u32,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Ready,
    Asked(u64),
    Committed(u64),
    Stop,
}

/// The tasks of one job, as they report.
struct Tasks {
    said: mpsc::UnboundedReceiver<Said>,
    told: mpsc::UnboundedSender<Said>,
}

pub(super) async fn measure(
    above: &Path,
    program: &Path,
    args: &ClusterArgs,
) -> Result<Vec<Figure>, Failure> {
    let rounds = args.rounds.min(MOST_ROUNDS);
    let figures = [
        checkpoints(above, program, rounds).await?,
        rescales(above, program, rounds).await?,
        kills(above, program, rounds).await?,
    ];
    Ok(figures.into_iter().flatten().collect())
}

/// From the first task that is asked to the last one that is told.
async fn checkpoints(above: &Path, program: &Path, rounds: u32) -> Result<Vec<Figure>, Failure> {
    const TASKS: u32 = 4;
    let mut progress = Progress::new("checkpoints of 4 × 10 MiB");
    let nodes = Nodes::start(program, above, 2, 2).await?;
    let (job, mut tasks) = submit(&nodes, TASKS, 40 * MIB).await?;
    let path = format!("/v1/jobs/{job}");
    let (mut asked, mut committed) = (BTreeMap::new(), BTreeMap::<u64, u32>::new());
    let mut samples = Vec::new();
    let mut writes = None;
    while samples.len() < rounds as usize {
        let said = tasks.next(&nodes).await?;
        match said.what {
            What::Asked(number) => {
                asked.entry(number).or_insert(said.at);
            }
            What::Committed(number) => {
                let told = committed.entry(number).or_default();
                *told += 1;
                if *told == TASKS {
                    if let Some(asked) = asked.get(&number) {
                        samples.push(said.at - *asked);
                    }
                    // Counted between two that are complete.
                    if writes.is_none() {
                        writes = Some((number, commits(&nodes).await?));
                    }
                    progress.step(|| format!("{} of {rounds}", samples.len()));
                }
            }
            What::Ready | What::Stop => {}
        }
    }
    let last = *committed
        .keys()
        .next_back()
        .ok_or("no checkpoint was committed")?;
    let (first, before) = writes.ok_or("no checkpoint was committed")?;
    let view = client::until(nodes.any(), &path, |job| {
        job["checkpoint"]["number"].as_u64() >= Some(last)
    })
    .await?;
    let after = commits(&nodes).await?;
    let made = view["checkpoint"]["number"].as_u64().ok_or("no number")? - first;
    let mut figures = vec![figure(
        "a checkpoint of 4 × 10 MiB, from the first task asked to the last one told",
        samples,
        1_000.0,
    )];
    // One that is committed just now may be counted in one of the two and not in the other.
    let each = (after - before) / made as f64;
    figures.push(Summary::of([each]).map(|each| {
        Figure::new(
            "· writes of the store for each",
            "",
            each,
            [(Statistic::Max, 1.2)],
        )
    }));
    cancel(&nodes, &job).await?;
    Ok(figures.into_iter().flatten().collect())
}

/// From the wish to the last task of the next attempt that has restored and is ready.
async fn rescales(above: &Path, program: &Path, rounds: u32) -> Result<Vec<Figure>, Failure> {
    let mut progress = Progress::new("rescaling from 2 tasks to 3, with 100 MiB");
    let nodes = Nodes::start(program, above, 2, 2).await?;
    let (job, mut tasks) = submit(&nodes, 2, 100 * MIB).await?;
    let path = format!("/v1/jobs/{job}/desired");
    let mut attempt = 1;
    tasks.until_ready(&nodes, 2, attempt).await?;
    let mut samples = Vec::new();
    for round in 0..rounds.div_ceil(2) {
        for (count, is_measured) in [(3, true), (2, false)] {
            let wish = json!({ "state": "running", "tasks": count });
            let sent = stopwatch::now();
            client::json(nodes.any(), hyper::Method::PUT, &path, Some(wish)).await?;
            attempt += 1;
            let ready = tasks.until_ready(&nodes, count, attempt).await?;
            if is_measured {
                samples.push(ready - sent);
            }
        }
        progress.step(|| format!("{} of {} rounds", round + 1, rounds.div_ceil(2)));
    }
    cancel(&nodes, &job).await?;
    let what = "2 tasks with 100 MiB rescaled to 3: from the wish to all 3 restored";
    Ok(figure(what, samples, 3_000.0).into_iter().collect())
}

/// From the kill of a TaskManager to the first task of the next attempt that is told of a commit.
async fn kills(above: &Path, program: &Path, rounds: u32) -> Result<Vec<Figure>, Failure> {
    const TASKS: u32 = 2;
    let mut progress = Progress::new("kill -9 of a TaskManager, to the next checkpoint");
    let mut nodes = Nodes::start(program, above, 3, TASKS).await?;
    let (job, mut tasks) = submit(&nodes, TASKS, 2 * MIB).await?;
    let path = format!("/v1/jobs/{job}");
    let mut samples = Vec::new();
    for attempt in 1..=rounds {
        tasks.until_committed(&nodes, attempt).await?;
        let view = client::until(nodes.any(), &path, |job| job["state"] == "running").await?;
        let victim = address_of(&nodes, text(&view["tasks"][0]["node"])?).await?;
        let killed = nodes.kill_task_manager(victim).await?;
        samples.push(tasks.until_committed(&nodes, attempt + 1).await? - killed);
        nodes.start_task_manager()?;
        nodes.until_all_are_there().await?;
        progress.step(|| format!("{attempt} of {rounds} rounds"));
    }
    cancel(&nodes, &job).await?;
    let what = "kill -9 of a TaskManager to the next committed checkpoint (interval 1 s)";
    Ok(figure(what, samples, 1_500.0).into_iter().collect())
}

async fn submit(nodes: &Nodes, tasks: u32, bytes: u64) -> Result<(String, Tasks), Failure> {
    let this = std::env::current_exe()?;
    let this = this
        .to_str()
        .ok_or("the name of this program is not UTF-8")?;
    let spec = json!({
        "tasks": tasks,
        "command": [this, disguise::STATEFUL, nodes.socket()?, bytes.to_string()],
        "checkpoints": {},
        "isolation": { "mode": "fenced" },
    });
    let (job, _) = nodes.submit_spec(spec).await?;
    let (told, said) = mpsc::unbounded_channel();
    Ok((job, Tasks { said, told }))
}

impl Tasks {
    /// The next thing that a task says.
    async fn next(&mut self, nodes: &Nodes) -> Result<Said, Failure> {
        let next = async {
            loop {
                tokio::select! {
                    said = self.said.recv() => {
                        return said.ok_or_else(|| "this holds a sender".into());
                    }
                    stream = nodes.accept() => listen(stream?, self.told.clone()),
                }
            }
        };
        tokio::time::timeout(PATIENCE, next)
            .await
            .map_err(|_| format!("no task has said anything for {PATIENCE:?}"))?
    }

    /// When the last of these many tasks of an attempt was ready.
    async fn until_ready(
        &mut self,
        nodes: &Nodes,
        count: u32,
        attempt: u32,
    ) -> Result<Instant, Failure> {
        let mut ready = 0;
        loop {
            let said = self.next(nodes).await?;
            if said.attempt > attempt {
                return Err(format!("attempt {attempt} has failed").into());
            }
            ready += u32::from(said.what == What::Ready && said.attempt == attempt);
            if ready == count {
                return Ok(said.at);
            }
        }
    }

    /// When the first task of an attempt was told of a checkpoint that it had been asked for.
    async fn until_committed(&mut self, nodes: &Nodes, attempt: u32) -> Result<Instant, Failure> {
        let mut asked = Vec::new();
        loop {
            let said = self.next(nodes).await?;
            match said.what {
                What::Asked(number) if said.attempt == attempt => asked.push((said.rank, number)),
                What::Committed(number)
                    if said.attempt == attempt && asked.contains(&(said.rank, number)) =>
                {
                    return Ok(said.at);
                }
                _ => {}
            }
        }
    }
}

/// Passes on what a task says until it ends: first its rank and attempt.
fn listen(stream: UnixStream, told: mpsc::UnboundedSender<Said>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        let Ok(Some(line)) = lines.next_line().await else {
            return;
        };
        let Some((rank, attempt)) = who(&line) else {
            return;
        };
        while let Ok(Some(line)) = lines.next_line().await {
            let at = stopwatch::now();
            let Some(what) = what(&line) else { continue };
            if told
                .send(Said {
                    at,
                    rank,
                    attempt,
                    what,
                })
                .is_err()
            {
                return;
            }
        }
    });
}

fn who(line: &str) -> Option<(u32, u32)> {
    let (rank, attempt) = line.split_once(' ')?;
    Some((rank.parse().ok()?, attempt.parse().ok()?))
}

fn what(line: &str) -> Option<What> {
    let (word, number) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "ready" => Some(What::Ready),
        "asked" => number.parse().ok().map(What::Asked),
        "committed" => number.parse().ok().map(What::Committed),
        "stop" => Some(What::Stop),
        _ => None,
    }
}

/// How many commits of jobs' records all leaders together count.
async fn commits(nodes: &Nodes) -> Result<f64, Failure> {
    let answered = client::ask(nodes.any(), hyper::Method::GET, "/v1/metrics", None).await?;
    let text = String::from_utf8_lossy(&answered.body);
    let lines = text
        .lines()
        .filter(|line| line.starts_with("incumbent_cluster_commits_total"));
    let numbers = lines.map(|line| line.rsplit(' ').next().unwrap_or_default().parse::<f64>());
    let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
    if numbers.is_empty() {
        return Err("no leader counts its commits".into());
    }
    Ok(numbers.iter().sum())
}

async fn cancel(nodes: &Nodes, job: &str) -> Result<(), Failure> {
    let path = format!("/v1/jobs/{job}");
    let wish = json!({ "state": "canceled" });
    let put = hyper::Method::PUT;
    client::json(nodes.any(), put, &format!("{path}/desired"), Some(wish)).await?;
    client::until(nodes.any(), &path, |job: &Value| job["state"] == "canceled").await?;
    Ok(())
}

fn figure(what: &str, samples: Vec<Duration>, most: f64) -> Option<Figure> {
    let summary = Summary::of_millis(samples)?;
    Some(Figure::new(
        what,
        "ms",
        summary,
        [(Statistic::Median, most)],
    ))
}
