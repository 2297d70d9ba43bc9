//! The data of a Flink with many jobs, moved between ZooKeeper and Kubernetes by the command that
//! people use.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use incumbent_kubernetes_double::{Double, Options};
use incumbent_servers::zookeeper::{self, ZooKeeper};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::args::FlinkArgs;
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};
use crate::{Failure, disguise, program, stopwatch};

/// What a Flink 2.3.0 with one job has written.
const CAPTURED: &str =
    include_str!("../../../crates/flink-ha/tests/fixtures/kubernetes-2.3.0.json");

const LOCK: &str = "control-plane.alpha.kubernetes.io/leader";

/// Most milliseconds of a dry run, and of the migration itself.
const DRY_RUN: f64 = 2_000.0;
const MIGRATION: f64 = 5_000.0;

pub(crate) async fn measure(above: &Path, args: FlinkArgs) -> Result<Vec<Figure>, Failure> {
    let mut progress = Progress::new("flink");
    let program = program::find(args.program.as_deref())?;
    let dir = tempfile::tempdir_in(above)?;
    let double = Double::start_now(Options::default());
    std::fs::write(dir.path().join("kubeconfig"), double.kubeconfig(None))?;
    put_jobs(&double, args.jobs)?;
    let bench = Bench {
        program: &program,
        dir: dir.path(),
        jobs: args.jobs,
    };
    let mut figures = Vec::new();
    {
        let (_server, address) = bench.leader_server().await?;
        figures.extend(
            bench
                .between(&address, "the leader server", args.turns, &mut progress)
                .await?,
        );
    }
    // The source of the next turns.
    bench
        .run(&["flink", "reopen", &bench.kubernetes("cluster")])
        .await?;
    match ZooKeeper::start(zookeeper::Options::default()) {
        Some(server) => {
            let address = format!("zookeeper://{}", server.socket());
            figures.extend(
                bench
                    .between(&address, "ZooKeeper", args.turns, &mut progress)
                    .await?,
            );
        }
        None => progress.note("ZooKeeper is not installed, and left out: apt install zookeeper"),
    }
    Ok(figures)
}

/// The ConfigMaps of a stopped Flink with so many jobs.
fn put_jobs(double: &Double, jobs: u32) -> Result<(), Failure> {
    let list: Value = serde_json::from_str(CAPTURED)?;
    let items = list["items"].as_array().ok_or("no list")?;
    let of_job = items.iter().find(|map| map["data"]["counter"].is_string());
    let of_cluster = items
        .iter()
        .find(|map| map["metadata"]["annotations"][LOCK].is_string());
    let (of_job, of_cluster) = of_job.zip(of_cluster).ok_or("the fixture is another one")?;
    let data = of_cluster["data"].as_object().ok_or("no data")?;
    let plan = data
        .iter()
        .find(|(key, _)| key.starts_with("executionPlan-"));
    let (_, plan) = plan.ok_or("no plan")?;
    let put = |name: &str, mut map: Value| {
        map["apiVersion"] = "v1".into();
        map["kind"] = "ConfigMap".into();
        map["metadata"]["name"] = name.into();
        for system in ["uid", "resourceVersion", "creationTimestamp"] {
            map["metadata"][system] = Value::Null;
        }
        double.put_by_hand("configmaps", "default", name, map);
    };
    let mut plans = serde_json::Map::new();
    for number in 0..jobs {
        let id = format!("{number:032x}");
        put(&format!("cluster-{id}-config-map"), of_job.clone());
        plans.insert(format!("executionPlan-{id}"), plan.clone());
    }
    let mut main = of_cluster.clone();
    main["data"] = plans.into();
    let free = json!({ "holderIdentity": "", "leaseDuration": 15.0 });
    main["metadata"]["annotations"] = json!({ LOCK: free.to_string() });
    put("cluster-cluster-config-map", main);
    Ok(())
}

struct Bench<'a> {
    program: &'a PathBuf,
    dir: &'a Path,
    jobs: u32,
}

impl Bench<'_> {
    /// Each turn moves all jobs there and back.
    async fn between(
        &self,
        server: &str,
        name: &str,
        turns: u32,
        progress: &mut Progress,
    ) -> Result<Vec<Figure>, Failure> {
        let mut took: [Vec<Duration>; 4] = Default::default();
        let mut source = self.kubernetes("cluster");
        for turn in 0..turns {
            progress.step(|| format!("{name}: turn {} of {turns}", turn + 1));
            let port = server.rsplit(':').next().unwrap_or_default();
            let there = format!("{server}/flink-{turn}/cluster");
            let back = self.kubernetes(&format!("back-{port}-{turn}"));
            took[0].push(self.migrate(&source, &there, false).await?);
            took[1].push(self.migrate(&source, &there, true).await?);
            took[2].push(self.migrate(&there, &back, false).await?);
            took[3].push(self.migrate(&there, &back, true).await?);
            source = back;
        }
        let figure = |what: String, took: &[Duration], at_most| {
            let summary = Summary::of_millis(took.iter().copied());
            let summary = summary.ok_or("nothing was measured")?;
            let targets = [(Statistic::Median, at_most)];
            Ok::<_, Failure>(Figure::new(what, "ms", summary, targets))
        };
        let (to, from) = (
            format!("Kubernetes to {name}"),
            format!("{name} to Kubernetes"),
        );
        let jobs = self.jobs;
        Ok(vec![
            figure(
                format!("{jobs} Flink jobs, {to}: dry run"),
                &took[0],
                DRY_RUN,
            )?,
            figure(
                format!("{jobs} Flink jobs, {to}: --apply"),
                &took[1],
                MIGRATION,
            )?,
            figure(
                format!("{jobs} Flink jobs, {from}: dry run"),
                &took[2],
                DRY_RUN,
            )?,
            figure(
                format!("{jobs} Flink jobs, {from}: --apply"),
                &took[3],
                MIGRATION,
            )?,
        ])
    }

    async fn migrate(&self, from: &str, to: &str, apply: bool) -> Result<Duration, Failure> {
        let mut args = vec!["flink", "migrate", from, to];
        args.extend(apply.then_some("--apply"));
        let begin = stopwatch::now();
        let said = self.run(&args).await?;
        let took = begin.elapsed();
        let expected = if apply { "complete" } else { "not-begun" };
        let moved = said["moves"].as_array().map_or(0, Vec::len);
        if said["state"] != expected || moved < self.jobs as usize * 3 {
            return Err(format!("{from} to {to} ended as {}", said["state"]).into());
        }
        Ok(took)
    }

    /// Runs the program to its end, and returns what it prints.
    async fn run(&self, args: &[&str]) -> Result<Value, Failure> {
        let done = Command::new(self.program)
            .args(args)
            .args(["--format", "json"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            return Err(format!("incumbent {} failed: {said}", args.join(" ")).into());
        }
        Ok(serde_json::from_slice(&done.stdout)?)
    }

    fn kubernetes(&self, cluster: &str) -> String {
        let kubeconfig = self.dir.join("kubeconfig");
        format!(
            "kubernetes://default/{cluster}?kubeconfig={}",
            kubeconfig.display()
        )
    }

    /// Starts `incumbent serve` on a directory, which syncs before it acknowledges.
    async fn leader_server(&self) -> Result<(Child, String), Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([disguise::TIED, &std::process::id().to_string()])
            .arg(self.program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(self.dir.join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let out = child.stdout.take().ok_or("it has no pipe")?;
        let line = BufReader::new(out).lines().next_line().await?;
        Ok((child, line.ok_or("the leader server has ended")?))
    }
}
