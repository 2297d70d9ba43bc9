//! A group of real processes on one store: starts them, reads their logs, and ends them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use incumbent::backend::{Backend, Key};
use incumbent::{HolderName, Root};
use incumbent_backend_file::FileBackend;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::mpsc;

use crate::{Failure, disguise, stopwatch};

/// The group they compete in.
pub(crate) const GROUP: &str = "bench";

/// Most log lines that wait to be read: those of many rounds.
const MOST_LINES: usize = 4096;

/// After this time, four leases, an expected event counts as missing.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long processes get to start and stand by where that cannot be observed: more than one retry
/// period.
const UNSEEN_STANDBYS: Duration = Duration::from_secs(5);

/// How often the standbys are counted. Their number changes within milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Where processes compete, if not in a directory.
#[derive(Clone)]
pub(crate) struct Spot {
    pub(crate) address: String,
    pub(crate) store: Arc<dyn Backend>,
    /// Of `incumbent run`.
    pub(crate) flags: &'static [&'static str],
}

/// What the command of a runner serves, besides reporting that it runs.
#[derive(Clone)]
pub(crate) struct Serving {
    /// Published as the endpoint `web`.
    pub(crate) web: SocketAddr,
    /// Where the runner tells whether it leads.
    pub(crate) status: SocketAddr,
    /// Of [`disguise::ANSWER`], after the socket and the address.
    pub(crate) arguments: Vec<OsString>,
}

/// A store, and the processes that use it. Dropping it ends them.
pub(crate) struct Runners {
    runners: BTreeMap<String, Child>,
    /// By the names of those that serve something.
    serving: BTreeMap<String, Serving>,
    program: PathBuf,
    spot: Spot,
    arrivals: UnixListener,
    lines: mpsc::Receiver<Line>,
    tell: mpsc::Sender<Line>,
    /// Last, so that it is removed last.
    dir: TempDir,
}

/// A command that runs.
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) holder: String,
    pub(crate) epoch: u64,
    /// It ends itself when this is closed.
    open: UnixStream,
}

/// What a runner logged.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) holder: String,
    pub(crate) message: String,
    pub(crate) because: Option<String>,
}

impl Runners {
    /// Makes the store and starts the runners; the first of them to lead has arrived, and the
    /// others stand by.
    pub(crate) async fn start(
        program: PathBuf,
        above: &Path,
        runners: u32,
        spot: Option<Spot>,
    ) -> Result<(Self, Arrival), Failure> {
        let letters = ('a'..).take(usize::try_from(runners)?);
        let names = letters.map(String::from).collect();
        Self::start_all(program, above, names, BTreeMap::new(), spot).await
    }

    /// The same, on a store in a directory, with runners whose commands serve something.
    pub(crate) async fn start_serving(
        program: PathBuf,
        above: &Path,
        serving: BTreeMap<String, Serving>,
    ) -> Result<(Self, Arrival), Failure> {
        let names = serving.keys().cloned().collect();
        Self::start_all(program, above, names, serving, None).await
    }

    async fn start_all(
        program: PathBuf,
        above: &Path,
        names: Vec<String>,
        serving: BTreeMap<String, Serving>,
        spot: Option<Spot>,
    ) -> Result<(Self, Arrival), Failure> {
        let dir = tempfile::Builder::new()
            .prefix("incumbent-bench-")
            .tempdir_in(above)?;
        let spot = match spot {
            Some(spot) => spot,
            None => {
                let address = address(dir.path())?;
                Spot {
                    store: Arc::new(FileBackend::open(&address.parse()?)?),
                    address,
                    flags: &[],
                }
            }
        };
        let (tell, lines) = mpsc::channel(MOST_LINES);
        let mut runners = Self {
            runners: BTreeMap::new(),
            serving,
            program,
            arrivals: UnixListener::bind(dir.path().join("arrivals"))?,
            lines,
            tell,
            spot,
            dir,
        };
        for name in names {
            runners.start_runner(name)?;
        }
        let arrival = runners.next_arrival().await?;
        runners.until_all_stand_by(&arrival).await?;
        Ok((runners, arrival))
    }

    /// Starts a runner in the place of one that is gone.
    pub(crate) fn start_runner(&mut self, holder: String) -> Result<(), Failure> {
        let this = std::env::current_exe()?;
        let mut command = Command::new(&this);
        command
            .args([disguise::TIED, &std::process::id().to_string()])
            .arg(&self.program)
            .args(["--ha", &self.spot.address, "--group", GROUP])
            .args(["--holder", &holder, "--log", "info", "--log-format", "json"])
            .arg("run")
            .args(self.spot.flags);
        let arrivals = self.dir.path().join("arrivals");
        match self.serving.get(&holder) {
            None => {
                command.arg("--").arg(&this);
                command.arg(disguise::ARRIVE).arg(arrivals);
            }
            Some(serving) => {
                let web = serving.web.to_string();
                command.args(["--publish", &format!("web={web}")]);
                command.args(["--status-listen", &serving.status.to_string()]);
                command.arg("--").arg(&this);
                command.arg(disguise::ANSWER).arg(arrivals);
                command.arg(web).args(&serving.arguments);
            }
        }
        // The user's configuration must not change the figures.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("INCUMBENT_") {
                command.env_remove(name);
            }
        }
        command.env("XDG_CONFIG_HOME", self.dir.path());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let log = child.stderr.take().ok_or("it was piped")?;
        tokio::spawn(listen(log, holder.clone(), self.tell.clone()));
        self.runners.insert(holder, child);
        Ok(())
    }

    /// Where the records are.
    pub(crate) fn address(&self) -> &str {
        &self.spot.address
    }

    /// What a process keeps in memory, in bytes.
    pub(crate) fn memory(&self, holder: &str) -> Result<u64, Failure> {
        let child = self.runners.get(holder).ok_or("no runner has this name")?;
        let id = child.id().ok_or("the runner has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kilobytes
            .ok_or("the system does not report it")?
            .parse::<u64>()?
            * 1024)
    }

    /// Sends a signal, and returns when.
    pub(crate) fn signal(&self, holder: &str, signal: Signal) -> Result<Instant, Failure> {
        let child = self.runners.get(holder).ok_or("no runner has this name")?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let pid = id.and_then(Pid::from_raw).ok_or("the runner has ended")?;
        let at = stopwatch::now();
        kill_process(pid, signal)?;
        Ok(at)
    }

    /// Waits until a runner has ended after a signal.
    pub(crate) async fn ended(&mut self, holder: &str) -> Result<(), Failure> {
        let mut child = self
            .runners
            .remove(holder)
            .ok_or("no runner has this name")?;
        in_time("the end of a runner", child.wait()).await??;
        Ok(())
    }

    /// Waits for the next command that is started.
    pub(crate) async fn next_arrival(&mut self) -> Result<Arrival, Failure> {
        let accept = async {
            let (stream, _) = self.arrivals.accept().await?;
            let at = stopwatch::now();
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let (holder, epoch) = line
                .trim()
                .split_once(' ')
                .ok_or("a command reported nothing")?;
            Ok::<_, Failure>(Arrival {
                at,
                holder: holder.to_owned(),
                epoch: epoch.parse()?,
                open: stream.into_inner(),
            })
        };
        match in_time("the next command", accept).await {
            Ok(arrival) => arrival,
            Err(late) => {
                let story = self.log();
                let last = story.iter().rev().take(10).rev();
                let last: Vec<_> = last.map(|line| format!("{line:?}")).collect();
                Err(format!("{late}; the last lines of the log:\n{}", last.join("\n")).into())
            }
        }
    }

    /// Waits until every other runner is connected to the leader's liveness endpoint.
    pub(crate) async fn until_all_stand_by(&self, leader: &Arrival) -> Result<(), Failure> {
        let others: BTreeSet<String> = self
            .runners
            .keys()
            .filter(|name| **name != leader.holder)
            .cloned()
            .collect();
        let look = async {
            loop {
                let root = self.root().await?;
                let liveness = match root {
                    Some(root) if root.epoch.get() == leader.epoch => root.liveness,
                    _ => {
                        tokio::time::sleep(LOOK_EVERY).await;
                        continue;
                    }
                };
                // Standbys cannot be observed here, so they get this time.
                let Some(liveness) = liveness else {
                    tokio::time::sleep(UNSEEN_STANDBYS).await;
                    return Ok::<_, Failure>(());
                };
                if let Ok(sign) = incumbent::sign_of_life(&liveness.address).await
                    && others.iter().all(|name| stands_by(&sign.standbys, name))
                {
                    return Ok(());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        in_time("the standbys", look).await?
    }

    /// The log lines that were not taken yet.
    pub(crate) fn log(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        while let Ok(line) = self.lines.try_recv() {
            lines.push(line);
        }
        lines
    }

    async fn root(&self) -> Result<Option<Root>, Failure> {
        let found = self.spot.store.read(&Key::root(GROUP.parse()?)).await?;
        let root = found.map(|found| Root::from_bytes(&found.body));
        Ok(root.transpose()?)
    }
}

impl Arrival {
    /// Of the command.
    pub(crate) fn pid(&self) -> Result<u32, Failure> {
        let pid = self.open.peer_cred()?.pid();
        Ok(u32::try_from(pid.ok_or(
            "the system does not report which process connected",
        )?)?)
    }
}

fn stands_by(standbys: &[HolderName], name: &str) -> bool {
    standbys.iter().any(|standby| standby.as_str() == name)
}

/// Passes on the log lines of a runner, each with the time at which it came.
async fn listen(log: ChildStderr, holder: String, tell: mpsc::Sender<Line>) {
    let mut lines = BufReader::new(log).lines();
    while let Ok(Some(text)) = lines.next_line().await {
        let at = stopwatch::now();
        let fields: Value = serde_json::from_str(&text).unwrap_or_default();
        let field = |name: &str| fields[name].as_str().map(ToOwned::to_owned);
        let line = Line {
            at,
            holder: holder.clone(),
            // A line that is not JSON does not come from the log, but for example from a panic.
            message: field("message").unwrap_or(text),
            because: field("because").or_else(|| field("why")),
        };
        if tell.send(line).await.is_err() {
            return;
        }
    }
}

fn address(dir: &Path) -> Result<String, Failure> {
    let path = dir.join("store");
    let path = path.to_str().ok_or("the directory's name is not UTF-8")?;
    Ok(format!(
        "file://{}",
        path.replace('%', "%25").replace('?', "%3F")
    ))
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> Result<T, Failure> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.map_err(|_| format!("waited for {what} for {PATIENCE:?}").into())
}
