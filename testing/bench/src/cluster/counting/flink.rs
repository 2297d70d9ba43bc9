//! The same count by Flink, which `others/flink_counting.py` runs: a line of JSON asks, a line of
//! JSON answers.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{Input, Killed, Stopped, Turn};
use crate::{Failure, disguise, program};

/// A cluster of two JobManagers and two TaskManagers. It ends with this process, at the latest.
pub(super) struct Flink {
    script: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pub(super) version: String,
}

/// How Flink counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sql {
    /// As it is: each record changes the count in the state, and emits two changes.
    Default,
    /// With mini-batches, which count within each source first.
    MiniBatch,
}

#[derive(Deserialize)]
struct Started {
    version: String,
}

#[derive(Deserialize)]
struct Counted {
    seconds: f64,
    cpu: f64,
}

#[derive(Deserialize)]
struct GoesOn {
    pause: f64,
    checkpoint: f64,
}

impl Flink {
    pub(super) async fn start(program: &Path, slots: u32) -> Result<Self, Failure> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("others/flink_counting.py");
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args([disguise::TIED_SOFTLY, &std::process::id().to_string()])
            .arg("python3")
            .arg(script)
            .arg("--binary")
            .arg(program)
            .args(["--slots", &slots.to_string()]);
        if let Ok(target) = program::target() {
            command.env("CARGO_TARGET_DIR", target);
        }
        let mut script = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let ask = script.stdin.take().ok_or("it was piped")?;
        let answers = BufReader::new(script.stdout.take().ok_or("it was piped")?).lines();
        let mut flink = Self {
            script,
            ask,
            answers,
            version: String::new(),
        };
        let started: Started = serde_json::from_str(&flink.answer().await?)?;
        flink.version = started.version;
        Ok(flink)
    }

    /// Counts the whole file once.
    pub(super) async fn turn(
        &mut self,
        input: &Input,
        tasks: u32,
        sql: Sql,
    ) -> Result<Turn, Failure> {
        let counted: Counted = self
            .ask(json!({
                "do": "count", "input": input.path, "tasks": tasks, "mini_batch": sql == Sql::MiniBatch,
            }))
            .await?;
        Ok(Turn {
            records: input.records,
            took: Duration::from_secs_f64(counted.seconds),
            cpu: Duration::from_secs_f64(counted.cpu),
        })
    }

    pub(super) async fn kill(
        &mut self,
        killed: Killed,
        input: &Input,
        tasks: u32,
    ) -> Result<Stopped, Failure> {
        let what = match killed {
            Killed::Coordinator => "coordinator",
            Killed::Worker => "worker",
        };
        let on: GoesOn = self
            .ask(json!({ "do": "kill", "what": what, "input": input.path, "tasks": tasks }))
            .await?;
        Ok(Stopped {
            pause: Duration::from_secs_f64(on.pause),
            checkpoint: Duration::from_secs_f64(on.checkpoint),
        })
    }

    /// Ends it, and waits until it has removed what it has written.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        drop(self.ask);
        self.script.wait().await?;
        Ok(())
    }

    async fn ask<T: for<'de> Deserialize<'de>>(&mut self, what: Value) -> Result<T, Failure> {
        self.ask.write_all(format!("{what}\n").as_bytes()).await?;
        Ok(serde_json::from_str(&self.answer().await?)?)
    }

    async fn answer(&mut self) -> Result<String, Failure> {
        let line = self.answers.next_line().await?;
        line.ok_or_else(|| "the script ended; it says why above".into())
    }
}
