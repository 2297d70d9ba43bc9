//! Flink, which `others/flink_stream.py` runs: a line of JSON asks, a line of JSON answers.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::account::Of;
use super::{INTERVAL_MS, PATIENCE, Turn};
use crate::{Failure, disguise};

/// A JobManager and a TaskManager. They end with this process, at the latest.
pub(super) struct Flink {
    script: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pub(super) version: String,
    pids: Vec<u32>,
}

impl Flink {
    pub(super) async fn start(version: &str, slots: u32) -> Result<Self, Failure> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/others/flink_stream.py");
        let mut child = Command::new(std::env::current_exe()?)
            .args([disguise::TIED_SOFTLY, &std::process::id().to_string()])
            .args(["python3", script, "--version", version])
            .args(["--slots", &slots.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = "the script has no pipe";
        let ask = child.stdin.take().ok_or(missing)?;
        let answers = BufReader::new(child.stdout.take().ok_or(missing)?).lines();
        let mut flink = Self {
            script: child,
            ask,
            answers,
            version: version.to_owned(),
            pids: Vec::new(),
        };
        let ready = flink.answer().await?;
        flink.set_pids(&ready)?;
        Ok(flink)
    }

    /// The process above all that belongs to it.
    pub(super) fn root(&self) -> Option<u32> {
        self.script.id()
    }

    pub(super) async fn turn(
        &mut self,
        statements: Vec<String>,
        records: u64,
        tasks: u32,
        mini_batch: bool,
    ) -> Result<Turn, Failure> {
        let of = Of::Only(self.pids.clone());
        let before = of.cpu()?;
        let ask = json!({
            "do": "run",
            "statements": statements,
            "tasks": tasks,
            "interval": INTERVAL_MS,
            "mini_batch": mini_batch,
        });
        let (answer, memory) = of.peak(self.asked(&ask)).await?;
        let seconds = answer["seconds"].as_f64().ok_or("no seconds")?;
        Ok(Turn {
            records,
            took: Duration::from_secs_f64(seconds),
            cpu: of.cpu()?.saturating_sub(before),
            memory,
        })
    }

    /// From kill -9 of the TaskManager to the next record.
    pub(super) async fn kill(
        &mut self,
        statements: Vec<String>,
        tasks: u32,
        wait: Duration,
    ) -> Result<Duration, Failure> {
        let ask = json!({
            "do": "kill",
            "statements": statements,
            "tasks": tasks,
            "interval": INTERVAL_MS,
            "wait": wait.as_secs_f64(),
        });
        let answer = self.asked(&ask).await?;
        self.set_pids(&answer)?;
        let next = answer["next"].as_f64().ok_or("no time")?;
        Ok(Duration::from_secs_f64(next))
    }

    /// Ends its processes.
    pub(super) async fn end(self) -> Result<(), Failure> {
        let Self {
            mut script,
            ask,
            answers,
            ..
        } = self;
        drop((ask, answers));
        script.wait().await?;
        Ok(())
    }

    fn set_pids(&mut self, answer: &Value) -> Result<(), Failure> {
        let pids = answer["pids"].as_array().ok_or("no processes")?;
        let pid = |pid: &Value| pid.as_u64().and_then(|pid| u32::try_from(pid).ok());
        self.pids = pids.iter().filter_map(pid).collect();
        Ok(())
    }

    async fn asked(&mut self, ask: &Value) -> Result<Value, Failure> {
        self.ask.write_all(format!("{ask}\n").as_bytes()).await?;
        let answer = tokio::time::timeout(PATIENCE, self.answer()).await;
        answer.map_err(|_| format!("Flink has not answered in {PATIENCE:?}"))?
    }

    async fn answer(&mut self) -> Result<Value, Failure> {
        let line = self.answers.next_line().await?;
        let line = line.ok_or("the script ended; it says why above")?;
        Ok(serde_json::from_str(&line)?)
    }
}

/// How many lines the files below a directory have, hidden ones too: Flink hides nothing when a job
/// has finished.
pub(super) fn lines_below(dir: &Path) -> Result<u64, Failure> {
    let mut lines = 0;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            lines += lines_below(&path)?;
        } else {
            let bytes = std::fs::read(&path)?;
            lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
    }
    Ok(lines)
}
