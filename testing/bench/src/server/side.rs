//! A server as a process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use incumbent_servers::free_port;
use incumbent_servers::zookeeper::{Options, ZooKeeper};
use incumbent_zk_probe::{Error, Probe, new_session};
use incumbent_zk_proto::Request;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::Plan;
use crate::{Failure, disguise, stopwatch};

/// A server that has not answered after this time has failed.
const LONGEST_START: Duration = Duration::from_secs(120);

/// Pause between attempts to get a first answer.
const POLL: Duration = Duration::from_millis(2);

/// Time for the work that follows a start, before the memory is read.
const SETTLE: Duration = Duration::from_millis(500);

/// One of the two servers, in a directory of its own. Dropping it ends the server and removes the
/// directory.
pub(super) struct Side {
    pub(super) name: &'static str,
    server: Server,
    /// Last, so that it is removed last.
    dir: TempDir,
}

enum Server {
    Incumbent {
        program: PathBuf,
        address: SocketAddr,
        process: Option<Box<Child>>,
    },
    /// Shared with the thread that starts it again, which blocks.
    ZooKeeper(Arc<ZooKeeper>),
}

/// The memory of a process, in MiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) rss: f64,
    /// Pages of files that others use too count in part.
    pub(super) pss: f64,
}

/// Both servers, ours first, each on an empty directory.
pub(super) async fn both(plan: &Plan) -> Result<[Side; 2], Failure> {
    Ok([Side::incumbent(plan).await?, Side::zookeeper(plan)?])
}

impl Side {
    async fn incumbent(plan: &Plan) -> Result<Self, Failure> {
        let mut side = Self {
            name: "Incumbent",
            server: Server::Incumbent {
                program: plan.program.clone(),
                address: ([127, 0, 0, 1], free_port()?).into(),
                process: None,
            },
            dir: directory(&plan.above)?,
        };
        side.restart("/").await?;
        Ok(side)
    }

    fn zookeeper(plan: &Plan) -> Result<Self, Failure> {
        let dir = directory(&plan.above)?;
        let options = Options::default()
            .jvm_flags(plan.jvm.clone())
            // The defaults of ZooKeeper, not those of tests.
            .config("preAllocSize=65536")
            .config("minSessionTimeout=4000")
            .config("maxSessionTimeout=40000")
            .data_dir(dir.path().join("data"));
        let server =
            ZooKeeper::start(options).ok_or("ZooKeeper is not installed: apt install zookeeper")?;
        Ok(Self {
            name: "ZooKeeper",
            server: Server::ZooKeeper(Arc::new(server)),
            dir,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        match &self.server {
            Server::Incumbent { address, .. } => *address,
            Server::ZooKeeper(server) => server.socket(),
        }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn pid(&self) -> Result<u32, Failure> {
        match &self.server {
            Server::Incumbent { process, .. } => {
                let pid = process.as_ref().and_then(|process| process.id());
                Ok(pid.ok_or("the server has ended")?)
            }
            Server::ZooKeeper(server) => Ok(server.pid()),
        }
    }

    /// Kills it.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        match &mut self.server {
            Server::Incumbent { process, .. } => {
                if let Some(mut process) = process.take() {
                    process.kill().await?;
                }
            }
            Server::ZooKeeper(server) => server.kill(),
        }
        Ok(())
    }

    /// Kills it and starts it on its data. Returns the time from the start until it answered a read
    /// of `path`.
    pub(super) async fn restart(&mut self, path: &str) -> Result<Duration, Failure> {
        self.kill().await?;
        let address = self.address();
        let data = self.data();
        let begin = stopwatch::now();
        match &mut self.server {
            Server::Incumbent {
                program, process, ..
            } => {
                *process = Some(Box::new(start(program, address, &data)?));
                Ok(first_answer(address, path).await? - begin)
            }
            Server::ZooKeeper(server) => {
                let server = Arc::clone(server);
                let starting = tokio::task::spawn_blocking(move || server.restart());
                let took = first_answer(address, path).await? - begin;
                starting.await?;
                Ok(took)
            }
        }
    }

    /// Its memory, once it is idle.
    pub(super) async fn memory(&self) -> Result<Memory, Failure> {
        tokio::time::sleep(SETTLE).await;
        let file = format!("/proc/{}/smaps_rollup", self.pid()?);
        let text = std::fs::read_to_string(&file)?;
        let field = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        };
        let mib = |name| Ok::<_, Failure>(field(name).ok_or(file.as_str())? / 1024.0);
        Ok(Memory {
            rss: mib("Rss:")?,
            pss: mib("Pss:")?,
        })
    }

    /// Its processor time since it was started.
    pub(super) fn cpu(&self) -> Result<Duration, Failure> {
        cpu(self.pid()?)
    }
}

/// The processor time of a process.
pub(crate) fn cpu(pid: u32) -> Result<Duration, Failure> {
    /// The unit of `/proc`, on all that Linux runs on today.
    const TICK: Duration = Duration::from_millis(10);
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name is in parentheses and may contain blanks. The tenth field after the state is the
    // time in user mode, and the next one that of the system.
    let (_, rest) = text.rsplit_once(')').ok_or("no name")?;
    let ticks = rest.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.map(str::parse::<u32>).sum::<Result<_, _>>()?;
    Ok(TICK * ticks)
}

fn directory(above: &Path) -> Result<TempDir, Failure> {
    Ok(tempfile::Builder::new()
        .prefix("incumbent-bench-")
        .tempdir_in(above)?)
}

fn start(program: &Path, address: SocketAddr, data: &Path) -> Result<Child, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([disguise::TIED, &std::process::id().to_string()])
        .arg(program)
        .args(["serve", "--log", "warn", "--listen", &address.to_string()])
        .args(["--max-connections-per-address", "0"])
        .arg("--data-dir")
        .arg(data);
    // The user's configuration must not change the figures.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("INCUMBENT_") {
            command.env_remove(name);
        }
    }
    command.env("XDG_CONFIG_HOME", data);
    Ok(command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?)
}

/// When the server has answered a first request.
///
/// A server that begins to serve may never answer requests that came before, so new ones are sent
/// all the time.
async fn first_answer(address: SocketAddr, path: &str) -> Result<Instant, Failure> {
    let mut asking = FuturesUnordered::new();
    let mut next = tokio::time::interval(POLL);
    let answered = async {
        loop {
            tokio::select! {
                Some(answer) = asking.next() => if Result::<(), Error>::is_ok(&answer) {
                    return stopwatch::now();
                },
                _ = next.tick() => asking.push(ask(address, path)),
            }
        }
    };
    Ok(tokio::time::timeout(LONGEST_START, answered).await?)
}

async fn ask(address: SocketAddr, path: &str) -> Result<(), Error> {
    let mut probe = Probe::connect(address, &new_session(4000)).await?;
    let get = Request::GetData { path, watch: false };
    probe.call(&get).await?.response()?;
    Ok(())
}
