//! Pods on the double of API server and kubelets: from a job without slots to its tasks running.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hyper::Method;
use incumbent_kubernetes_double::{Double, Kubelet, KubeletOptions, Options, Verb};
use serde_json::{Value, json};

use crate::cluster::client;
use crate::cluster::nodes::spawn;
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};
use crate::{Failure, stopwatch};

/// The image of TaskManagers.
const IMAGE: &str = "incumbent";

/// Of each job. Each pod has two slots.
const TASKS: u32 = 4;

/// How often the pods are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// After this time a pod counts as missing.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a pod may add to its own start, in milliseconds.
const MOST: f64 = 2000.0;

/// How long one job took.
struct Round {
    /// From the submission until all tasks ran.
    whole: Duration,
    /// From the first request for a pod until the last pod ran.
    pods: Duration,
}

pub(crate) async fn measure(
    above: &Path,
    program: PathBuf,
    rounds: u32,
) -> Result<Vec<Figure>, Failure> {
    let dir = tempfile::Builder::new()
        .prefix("incumbent-bench-")
        .tempdir_in(above)?;
    let double = Double::start(Options::default()).await;
    let kubeconfig = dir.path().join("kubeconfig");
    std::fs::write(&kubeconfig, double.kubeconfig(None))?;
    let mut options = KubeletOptions::new(dir.path().join("pods"));
    options.images = BTreeMap::from([(IMAGE.to_owned(), program.clone())]);
    let _kubelet = Kubelet::start(&double, options);
    let ha = format!("kubernetes:///bench?kubeconfig={}", kubeconfig.display());
    let flags = [
        "--task-managers",
        "kubernetes",
        "--task-manager-image",
        IMAGE,
        "--pod-owner",
        "none",
        "--idle-release",
        "1s",
    ];
    let (manager, _child) = spawn(&program, dir.path(), &ha, "job-manager", &flags)?;
    client::until(manager, "/v1/cluster", |cluster| {
        cluster["is_complete"] == true
    })
    .await?;
    let mut progress = Progress::new("pods for a job");
    let (mut wholes, mut above_pods) = (Vec::new(), Vec::new());
    for number in 0..rounds {
        let round = one(&double, manager, number).await?;
        wholes.push(round.whole);
        above_pods.push(round.whole.saturating_sub(round.pods));
        progress.step(|| format!("{} of {rounds} rounds", number + 1));
    }
    drop(progress);
    let whole = Summary::of_millis(wholes);
    let more = Summary::of_millis(above_pods);
    let figures = [
        whole.map(|it| {
            Figure::new(
                "no slots to a job of 4 tasks in 2 pods running",
                "ms",
                it,
                [],
            )
        }),
        more.map(|it| {
            let what = "the same, above the start of the pods";
            Figure::new(what, "ms", it, [(Statistic::Median, MOST)])
        }),
    ];
    Ok(figures.into_iter().flatten().collect())
}

async fn one(
    double: &Double,
    manager: std::net::SocketAddr,
    number: u32,
) -> Result<Round, Failure> {
    double.forget_seen();
    let path = format!("/v1/jobs/{number:032x}");
    let spec = json!({
        "name": format!("bench-{number}"), "tasks": TASKS, "command": ["sleep", "1000"],
    });
    let sent = stopwatch::now();
    client::json(manager, Method::PUT, &path, Some(spec)).await?;
    let running = client::until(manager, &path, |job| job["state"] == "running");
    let (view, pods_run) = tokio::try_join!(running, all_run(double))?;
    let whole = stopwatch::now() - sent;
    if view["tasks"].as_array().map_or(0, Vec::len) != TASKS as usize {
        return Err(format!("the job has other tasks: {view}").into());
    }
    let seen = double.seen();
    let mut asked = (seen.iter()).filter(|it| it.verb == Verb::Create && it.resource == "pods");
    let asked = asked.next().ok_or("no pod was asked for")?.at;
    let desired = json!({ "state": "canceled" });
    client::json(
        manager,
        Method::PUT,
        &format!("{path}/desired"),
        Some(desired),
    )
    .await?;
    client::until(manager, &path, |job| job["state"] == "canceled").await?;
    until(|| pods(double).is_empty()).await?;
    Ok(Round {
        whole,
        pods: pods_run.saturating_duration_since(asked),
    })
}

/// Waits until two pods run, and returns when they did.
async fn all_run(double: &Double) -> Result<Instant, Failure> {
    let runs = |pod: &Value| pod["status"]["phase"] == "Running";
    until(|| pods(double).iter().filter(|pod| runs(pod)).count() >= 2).await?;
    Ok(stopwatch::now())
}

fn pods(double: &Double) -> Vec<Value> {
    let names = double.names("pods", "default");
    let all = names
        .iter()
        .filter_map(|name| double.object("pods", "default", name));
    all.collect()
}

async fn until(condition: impl Fn() -> bool) -> Result<(), Failure> {
    let look = async {
        while !condition() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let looked = tokio::time::timeout(PATIENCE, look).await;
    looked.map_err(|_| format!("the pods are not as they should be after {PATIENCE:?}").into())
}
