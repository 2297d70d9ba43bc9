//! Ten thousand jobs on each kind of store: how long the next leader takes until all their records
//! are open and sealed, beside as many plain seals of the same store in the same run.
//!
//! The jobs wait for slots that nobody has. So nothing but opening follows from them, which is what
//! the store limits.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use hyper::Method;
use incumbent::{Group, Leadership, RecordName};
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::runtime::Builder;

use super::client;
use super::nodes::{kill, spawn};
use super::stores::{Kind, Site};
use crate::args::ClusterArgs;
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};
use crate::{Failure, stopwatch};

/// As many as a JobManager opens side by side.
const SIDE_BY_SIDE: usize = 64;

/// Most that adoption may take, in plain seals.
const MOST: f64 = 1.3;

/// How often each is measured, in turns.
const ROUNDS: u32 = 3;

/// After this time, records that are not open count as lost.
const PATIENCE: Duration = Duration::from_secs(600);

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// The histogram of how long adoption took.
const ADOPTION: &str = "incumbent_cluster_adoption_seconds";

/// The group in which the JobManagers' jobs are, and the one for plain seals.
const JOBS: &str = "cluster";
const PLAIN: &str = "plain";

pub(super) async fn measure(
    above: &Path,
    program: &Path,
    args: &ClusterArgs,
) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    for kind in Kind::ALL {
        let progress = Progress::new(format!("{} jobs, {kind:?}", args.adopted));
        if let Some(site) = kind.start(program, above, &progress).await? {
            figures.extend(on(site, program, args.adopted, progress).await?);
        }
    }
    Ok(figures)
}

async fn on(
    site: Site,
    program: &Path,
    count: u32,
    mut progress: Progress,
) -> Result<Vec<Figure>, Failure> {
    for group in [JOBS, PLAIN] {
        let address = site.fast.clone();
        apart(move || async move { fill(&address, group, count).await }).await?;
        progress.step(|| format!("{group} is filled"));
    }
    let (mut seals, mut adoptions, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let rounds = if site.limit.is_some() { 1 } else { ROUNDS };
    for round in 0..rounds {
        let address = site.address.clone();
        let sealed = apart(move || async move { seal(&address).await }).await?;
        let (adopted, leader) = adopt(program, &site, &site.address).await?;
        kill(leader).await?;
        seals.push(sealed);
        adoptions.push(adopted);
        ratios.push(adopted / sealed);
        progress.step(|| format!("{} of {rounds} rounds", round + 1));
    }
    let name = site.name;
    let mut figures = Vec::new();
    let mut add = |what: String, unit, samples: Vec<f64>, target: Option<(Statistic, f64)>| {
        if let Some(summary) = Summary::of(samples) {
            figures.push(Figure::new(what, unit, summary, target));
        }
    };
    // A read and a write for each.
    let least = site
        .limit
        .map(|(rate, burst)| (2.0 * f64::from(count) - burst) / rate);
    let most = least.map(|least| (Statistic::Max, least * 1.05));
    let what = format!("{count} jobs adopted on {name}");
    add(what, "s", adoptions, most);
    add("· as many plain seals".into(), "s", seals, None);
    let target = Some((Statistic::Median, MOST));
    add("· adoption, in plain seals".into(), "", ratios, target);
    Ok(figures)
}

/// Runs this on threads of its own, as a JobManager has them.
async fn apart<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>>,
{
    let working = tokio::task::spawn_blocking(move || {
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(work())
    });
    working.await?
}

async fn group(address: &str, name: &str) -> Result<Group, Failure> {
    Ok(incumbent::open(address).await?.group(name)?)
}

/// Submits so many jobs, and commits them as a leader does that has placed them: until then, each
/// opening of a record also looks at the floor.
async fn fill(address: &str, name: &str, count: u32) -> Result<(), Failure> {
    let group = group(address, name).await?;
    let created = stream::iter(1..=count).map(|number| {
        let group = &group;
        async move {
            let id = format!("{number:032x}");
            let name: RecordName = format!("jobs/{id}").parse()?;
            group.create(&name, &job(&id, number)).await?;
            Ok::<_, Failure>(())
        }
    });
    created
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect::<()>()
        .await?;
    let leadership = group.candidate()?.campaign().await;
    let names = group.records().await?;
    let committed = stream::iter(&names).map(|name| async {
        let mut record = leadership.open::<Value>(name).await?;
        if let Some(job) = record.data().cloned() {
            record.commit(job).await?;
        }
        Ok::<_, Failure>(())
    });
    committed
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect::<()>()
        .await?;
    leadership.resign(None).await;
    group.close().await;
    Ok(())
}

/// A record as a submission creates it.
fn job(id: &str, number: u32) -> Value {
    json!({
        "format": 1,
        "id": id,
        "incarnation": format!("{number:016x}"),
        "submitted_at": "2026-01-01T00:00:00Z",
        "submitted_ms": 0,
        "spec": {
            "name": format!("job-{number}"),
            "tasks": 4,
            "command": ["sleep", "100000"],
            "checkpoints": {},
        },
        "state": "waiting",
        "desired": "running",
        "attempt": 0,
    })
}

/// A new leader seals all records of the group for plain seals. Returns how long that took.
async fn seal(address: &str) -> Result<f64, Failure> {
    let group = group(address, PLAIN).await?;
    let leadership = group.candidate()?.campaign().await;
    let begin = stopwatch::now();
    let names = group.records().await?;
    seal_all(&leadership, &names).await?;
    let took = begin.elapsed();
    leadership.resign(None).await;
    group.close().await;
    Ok(took.as_secs_f64())
}

async fn seal_all(leadership: &Leadership, names: &[RecordName]) -> Result<(), Failure> {
    let sealed = stream::iter(names).map(|name| async move {
        leadership.open::<Value>(name).await?;
        Ok::<_, Failure>(())
    });
    sealed.buffer_unordered(SIDE_BY_SIDE).try_collect().await
}

/// Starts a JobManager, and waits until it has adopted all jobs. Returns how long that took, from
/// the grant of its term.
async fn adopt(program: &Path, site: &Site, ha: &str) -> Result<(f64, Child), Failure> {
    let (address, child) = spawn(program, site.dir.path(), ha, "job-manager", &[])?;
    let begin = stopwatch::now();
    loop {
        if let Ok(Some(took)) = adoption(address).await {
            return Ok((took, child));
        }
        if begin.elapsed() > PATIENCE {
            return Err(format!("{} has not adopted all jobs in {PATIENCE:?}", site.name).into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// How long the adoption of this JobManager took, once it is over.
async fn adoption(node: SocketAddr) -> Result<Option<f64>, Failure> {
    let answered = client::ask(node, Method::GET, "/metrics", None).await?;
    let text = String::from_utf8_lossy(&answered.body);
    Ok(adoption_in(&text))
}

/// The sum of the histogram, which has one sample.
fn adoption_in(metrics: &str) -> Option<f64> {
    let sum = format!("{ADOPTION}_sum");
    let line = metrics.lines().find(|line| line.starts_with(&sum))?;
    line.split_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_an_adoption_is_read() {
        let metrics = "# TYPE incumbent_cluster_adoption_seconds histogram\n\
            incumbent_cluster_adoption_seconds_bucket{le=\"1\"} 0\n\
            incumbent_cluster_adoption_seconds_sum 1.25\n\
            incumbent_cluster_adoption_seconds_count 1\n";
        assert_eq!(adoption_in(metrics), Some(1.25));
        assert_eq!(adoption_in("nothing"), None);
    }
}
