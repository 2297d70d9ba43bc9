//! What a warm standby is worth: from kill -9 of the leader until the next one serves, of a JVM
//! that takes five seconds to start, warm and cold.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::args::StandbyArgs;
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};
use crate::{Failure, disguise, program, stopwatch};

/// The program, as it is compiled.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/others/SlowStart.java");

/// Oldest Java that can connect to a Unix socket.
const OLDEST_JAVA: u32 = 17;

/// After this time something that is waited for counts as missing.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often it is asked whether somebody serves.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The same, of the state of the group.
const STATUS_EVERY: Duration = Duration::from_millis(200);

/// The most that a takeover may cost, in milliseconds.
const TARGET: f64 = 50.0;

const NAMES: [&str; 2] = ["a", "b"];

pub(crate) async fn measure(above: &Path, args: &StandbyArgs) -> Result<Vec<Figure>, Failure> {
    let Some(javac) = java().await else {
        eprintln!("standby: SKIPPED: it needs Java {OLDEST_JAVA} or newer, with javac");
        return Ok(Vec::new());
    };
    let program = program::find(args.program.as_deref())?;
    let mut figures = Vec::new();
    for (is_warm, rounds) in [(true, args.rounds), (false, args.cold_rounds)] {
        let name = if is_warm { "warm" } else { "cold" };
        let mut progress = Progress::new(format!("standby, {name}"));
        let mut pair = Pair::start(&program, above, &javac, is_warm).await?;
        let mut took = Vec::new();
        for number in 0..rounds {
            took.push(pair.round().await?);
            progress.step(|| format!("{} of {rounds} rounds", number + 1));
        }
        let what = format!("{name} standby: kill -9 to \"it serves\", a JVM with 5 s of start");
        let targets = is_warm.then_some((Statistic::Median, TARGET));
        let summary = Summary::of_millis(took);
        figures.extend(summary.map(|summary| Figure::new(what, "ms", summary, targets)));
    }
    Ok(figures)
}

/// The compiler, if it and the virtual machine are new enough.
async fn java() -> Option<PathBuf> {
    let answer = Command::new("javac").arg("-version").output().await.ok()?;
    // Older ones answer on standard error.
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let version = text.trim().strip_prefix("javac ")?.split('.').next()?;
    let is_new = version.parse::<u32>().ok()? >= OLDEST_JAVA;
    let runs = Command::new("java").arg("-version").output().await.is_ok();
    (is_new && runs).then(|| "javac".into())
}

/// Two nodes on one store, one of which leads. Dropping it ends them.
struct Pair {
    program: PathBuf,
    is_warm: bool,
    nodes: [Option<Child>; 2],
    ports: [u16; 2],
    leader: usize,
    epoch: u64,
    /// Last, so that it is removed last.
    dir: TempDir,
}

impl Pair {
    async fn start(
        program: &Path,
        above: &Path,
        javac: &Path,
        is_warm: bool,
    ) -> Result<Self, Failure> {
        let dir = tempfile::Builder::new()
            .prefix("incumbent-bench-")
            .tempdir_in(above)?;
        let compiled = Command::new(javac)
            .arg("-d")
            .arg(dir.path())
            .arg(SOURCE)
            .status()
            .await?;
        if !compiled.success() {
            return Err("javac failed".into());
        }
        let mut pair = Self {
            program: program.to_owned(),
            is_warm,
            nodes: [None, None],
            ports: [
                incumbent_servers::free_port()?,
                incumbent_servers::free_port()?,
            ],
            leader: 0,
            epoch: 0,
            dir,
        };
        pair.start_node(0)?;
        pair.epoch = pair.serves(0).await?.1;
        pair.start_node(1)?;
        pair.stands_by(1).await?;
        Ok(pair)
    }

    fn incumbent(&self, at: usize) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("INCUMBENT_") {
                command.env_remove(name);
            }
        }
        command
            .arg("--ha")
            .arg(format!("file://{}", self.dir.path().join("ha").display()))
            .args(["--holder", NAMES[at]])
            .env("XDG_CONFIG_HOME", self.dir.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    fn start_node(&mut self, at: usize) -> Result<(), Failure> {
        let inner = self.incumbent(at);
        let inner = inner.as_std();
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args([disguise::TIED, &std::process::id().to_string()])
            .arg(inner.get_program())
            .args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let port = self.ports[at].to_string();
        command.args(["--log", "warn", "run", "--restart", "always"]);
        command.args(["--publish", &format!("web=127.0.0.1:{port}")]);
        command.args(["--standby", if self.is_warm { "warm" } else { "cold" }]);
        // Whatever the machine has: a small heap ends as fast as it was made.
        command
            .args(["--", "java", "-Xmx64m", "-cp"])
            .arg(self.dir.path());
        command.args(["SlowStart", &port]);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        self.nodes[at] = Some(child.spawn()?);
        Ok(())
    }

    /// Kills the leader, and returns how long nobody served.
    async fn round(&mut self) -> Result<Duration, Failure> {
        let (old, next) = (self.leader, 1 - self.leader);
        let mut child = self.nodes[old].take().ok_or("the leader has ended")?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let begin = stopwatch::now();
        kill_process(pid.ok_or("the leader has ended")?, Signal::KILL)?;
        let (at, epoch) = self.serves(next).await?;
        if epoch <= self.epoch {
            return Err(format!("epoch {epoch} follows {}", self.epoch).into());
        }
        (self.leader, self.epoch) = (next, epoch);
        child.wait().await?;
        self.start_node(old)?;
        self.stands_by(old).await?;
        Ok(at.saturating_duration_since(begin))
    }

    /// Waits until this node serves; when, and at which epoch.
    async fn serves(&self, at: usize) -> Result<(Instant, u64), Failure> {
        let look = async {
            loop {
                if let Ok((200, body)) = get(self.ports[at]).await
                    && let Ok(epoch) = body.parse()
                {
                    return (stopwatch::now(), epoch);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, look).await;
        Ok(found.map_err(|_| "nobody serves")?)
    }

    /// Waits until this node is connected to the leader, and its JVM runs if it is warm.
    async fn stands_by(&self, at: usize) -> Result<(), Failure> {
        let look = async {
            loop {
                let runs = !self.is_warm || get(self.ports[at]).await.is_ok();
                let status = self.incumbent(at).arg("status").output().await?;
                let status: Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
                if runs && status["standbys"][0] == NAMES[at] {
                    return Ok(());
                }
                tokio::time::sleep(STATUS_EVERY).await;
            }
        };
        tokio::time::timeout(PATIENCE, look)
            .await
            .map_err(|_| "nobody stands by")?
    }
}

/// Asks with a connection of its own. The status and the body.
async fn get(port: u16) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let body = answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.trim().to_owned());
    status
        .zip(body)
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
