//! The processes of a cluster on this machine: starts, kills and replaces them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use hyper::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};

use super::client;
use crate::{Failure, disguise, stopwatch};

/// After this time an expected task counts as missing.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster on a directory. Dropping it ends its processes.
pub(crate) struct Nodes {
    program: PathBuf,
    /// By their addresses.
    job_managers: BTreeMap<SocketAddr, Child>,
    task_managers: BTreeMap<SocketAddr, Child>,
    slots: u32,
    tasks: UnixListener,
    dir: TempDir,
}

/// A task that runs.
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) rank: u32,
    pub(crate) attempt: u32,
    /// The task ends when this is closed.
    _open: UnixStream,
}

impl Nodes {
    /// With two JobManagers.
    pub(crate) async fn start(
        program: &Path,
        above: &Path,
        task_managers: u32,
        slots: u32,
    ) -> Result<Self, Failure> {
        Self::start_with(program, above, 2, task_managers, slots).await
    }

    pub(crate) async fn start_with(
        program: &Path,
        above: &Path,
        job_managers: u32,
        task_managers: u32,
        slots: u32,
    ) -> Result<Self, Failure> {
        let dir = tempfile::Builder::new()
            .prefix("incumbent-bench-")
            .tempdir_in(above)?;
        let mut nodes = Self {
            program: program.to_owned(),
            job_managers: BTreeMap::new(),
            task_managers: BTreeMap::new(),
            slots,
            tasks: UnixListener::bind(dir.path().join("tasks"))?,
            dir,
        };
        for _ in 0..job_managers {
            nodes.start_job_manager()?;
        }
        for _ in 0..task_managers {
            nodes.start_task_manager()?;
        }
        nodes.until_all_are_there().await?;
        Ok(nodes)
    }

    pub(crate) fn start_job_manager(&mut self) -> Result<(), Failure> {
        let (address, child) = self.spawn("job-manager", &[])?;
        self.job_managers.insert(address, child);
        Ok(())
    }

    pub(crate) fn start_task_manager(&mut self) -> Result<(), Failure> {
        let slots = self.slots.to_string();
        let (address, child) = self.spawn("task-manager", &["--slots", &slots])?;
        self.task_managers.insert(address, child);
        Ok(())
    }

    /// Waits until somebody leads and knows all TaskManagers.
    pub(crate) async fn until_all_are_there(&self) -> Result<(), Failure> {
        // The newest listens last.
        for node in self.task_managers.keys() {
            client::until(*node, "/v1/cluster", |_| true).await?;
        }
        client::until(self.any(), "/v1/cluster", |cluster| {
            live(cluster, "task-manager") == self.task_managers.len()
                // Those that stand by are shown when they are connected to the leader.
                && live(cluster, "job-manager") == self.job_managers.len()
                && cluster["is_complete"] == true
        })
        .await?;
        Ok(())
    }

    /// A node that is not killed: a TaskManager, or a JobManager if there is none.
    pub(crate) fn any(&self) -> SocketAddr {
        let mut nodes = self.task_managers.keys().chain(self.job_managers.keys());
        *nodes.next().expect("a cluster has nodes")
    }

    /// Submits a job of measured tasks, and returns its id and when the request was sent.
    pub(crate) async fn submit(
        &self,
        tasks: u32,
        fenced: bool,
    ) -> Result<(String, Instant), Failure> {
        let this = std::env::current_exe()?;
        let this = this
            .to_str()
            .ok_or("the name of this program is not UTF-8")?;
        self.submit_command(
            tasks,
            fenced,
            &json!([this, disguise::TASK, self.socket()?]),
        )
        .await
    }

    pub(crate) async fn submit_command(
        &self,
        tasks: u32,
        fenced: bool,
        command: &Value,
    ) -> Result<(String, Instant), Failure> {
        let mut spec = json!({ "tasks": tasks, "command": command });
        if fenced {
            spec["isolation"] = json!({ "mode": "fenced" });
        }
        self.submit_spec(spec).await
    }

    /// Submits a job under a name of its own, which is restarted at once.
    pub(crate) async fn submit_spec(&self, mut spec: Value) -> Result<(String, Instant), Failure> {
        let id = random_id()?;
        spec["name"] = json!(format!("bench-{id}"));
        spec["restart"] = json!({ "strategy": "fixed-delay", "delay_ms": 0, "attempts": 1000 });
        let at = stopwatch::now();
        client::json(
            self.any(),
            Method::PUT,
            &format!("/v1/jobs/{id}"),
            Some(spec),
        )
        .await?;
        Ok((id, at))
    }

    /// Where tasks report.
    pub(crate) fn socket(&self) -> Result<String, Failure> {
        let socket = self.dir.path().join("tasks");
        let socket = socket.to_str().ok_or("the directory is not UTF-8")?;
        Ok(socket.to_owned())
    }

    /// Waits for the next task that connects, and has not said anything yet.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no task.
    pub(crate) async fn accept(&self) -> Result<UnixStream, Failure> {
        Ok(self.tasks.accept().await?.0)
    }

    /// Waits for the next task that is started, of those that say nothing but who they are.
    pub(crate) async fn next_arrival(&self) -> Result<Arrival, Failure> {
        let accept = async {
            let stream = self.accept().await?;
            let at = stopwatch::now();
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let (rank, attempt) = line.trim().split_once(' ').ok_or("a task said nothing")?;
            Ok::<_, Failure>(Arrival {
                at,
                rank: rank.parse()?,
                attempt: attempt.parse()?,
                _open: stream.into_inner(),
            })
        };
        let arrived = tokio::time::timeout(PATIENCE, accept).await;
        arrived.map_err(|_| format!("no task was started in {PATIENCE:?}"))?
    }

    /// Waits until these many tasks have arrived.
    pub(crate) async fn arrivals(&self, count: u32) -> Result<Vec<Arrival>, Failure> {
        let mut arrivals = Vec::new();
        for _ in 0..count {
            arrivals.push(self.next_arrival().await?);
        }
        Ok(arrivals)
    }

    /// Whether a task has arrived that nobody waits for.
    pub(crate) async fn has_arrival(&self) -> bool {
        let soon = tokio::time::timeout(Duration::from_millis(1), self.tasks.accept());
        matches!(soon.await, Ok(Ok(_)))
    }

    /// Kills the leading JobManager with -9, and returns when, and its address.
    pub(crate) async fn kill_leader(&mut self) -> Result<Instant, Failure> {
        let cluster = client::get(self.any(), "/v1/cluster").await?;
        let address = text(&cluster["leader"]["address"])?.parse()?;
        let child = self.job_managers.remove(&address);
        kill(child.ok_or("the leader is no process of this bench")?).await
    }

    /// Kills the TaskManager at this address with -9, and returns when.
    pub(crate) async fn kill_task_manager(&mut self, at: SocketAddr) -> Result<Instant, Failure> {
        let child = self.task_managers.remove(&at);
        kill(child.ok_or("no TaskManager of this bench has this address")?).await
    }

    /// What the leading JobManager keeps in memory, in MiB.
    pub(crate) async fn memory_of_leader(&self) -> Result<f64, Failure> {
        let cluster = client::get(self.any(), "/v1/cluster").await?;
        let pid = cluster["leader"]["pid"]
            .as_u64()
            .ok_or("the leader has no pid")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes = kilobytes.ok_or("the system does not report it")?;
        Ok(kilobytes.trim().parse::<f64>()? / 1024.0)
    }

    fn spawn(&self, part: &str, flags: &[&str]) -> Result<(SocketAddr, Child), Failure> {
        let ha = format!("file://{}/ha", self.dir.path().display());
        spawn(&self.program, self.dir.path(), &ha, part, flags)
    }
}

/// Starts a node of a cluster whose blobs and logs are in this directory.
pub(crate) fn spawn(
    program: &Path,
    dir: &Path,
    ha: &str,
    part: &str,
    flags: &[&str],
) -> Result<(SocketAddr, Child), Failure> {
    let this = std::env::current_exe()?;
    // Free a moment ago. Nobody else takes it, as the system hands out others first.
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let log = File::create(dir.join(format!("{part}-{address}.log")))?;
    let mut command = Command::new(&this);
    command
        .args([disguise::TIED, &std::process::id().to_string()])
        .arg(program)
        .arg(part)
        .args(["--ha", ha])
        .args(["--blobs", &format!("file://{}/blobs", dir.display())])
        .args(["--listen", &address.to_string()])
        .args(flags);
    // The user's configuration must not change the figures.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("INCUMBENT_") {
            command.env_remove(name);
        }
    }
    let child = command
        .env("XDG_CONFIG_HOME", dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::from(log))
        .kill_on_drop(true)
        .spawn()?;
    Ok((address, child))
}

/// How many nodes of this kind live.
pub(crate) fn live(cluster: &Value, kind: &str) -> usize {
    let nodes = cluster["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    let is_live = |node: &&Value| node["kind"] == kind && node["state"] == "live";
    nodes.iter().filter(is_live).count()
}

/// The process ids of a job's tasks, by rank; fails if one does not run.
pub(crate) fn pids(job: &Value) -> Result<Vec<u64>, Failure> {
    let tasks = job["tasks"].as_array().ok_or("the job has no tasks")?;
    let pid = |task: &Value| task["pid"].as_u64().ok_or("a task has no process");
    Ok(tasks.iter().map(pid).collect::<Result<_, _>>()?)
}

/// Where a TaskManager of this name listens.
pub(crate) async fn address_of(nodes: &Nodes, name: &str) -> Result<std::net::SocketAddr, Failure> {
    let cluster = client::get(nodes.any(), "/v1/cluster").await?;
    let all = cluster["nodes"]
        .as_array()
        .ok_or("the cluster has no nodes")?;
    let node = all.iter().find(|node| node["name"] == name);
    Ok(text(&node.ok_or("no such node")?["address"])?.parse()?)
}

pub(crate) fn text(value: &Value) -> Result<&str, Failure> {
    value
        .as_str()
        .ok_or_else(|| format!("{value} is no text").into())
}

/// Kills a process with -9, and returns when.
pub(crate) async fn kill(mut child: Child) -> Result<Instant, Failure> {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let pid = id.and_then(Pid::from_raw).ok_or("the process has ended")?;
    let at = stopwatch::now();
    kill_process(pid, Signal::KILL)?;
    child.wait().await?;
    Ok(at)
}

fn random_id() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
