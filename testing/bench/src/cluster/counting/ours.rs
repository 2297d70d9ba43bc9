//! The counting job of `examples/jobs/count` on a cluster of this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};

use super::processes::{self, Reading};
use super::{AFTER_CHECKPOINT, Input, Killed, LOOK_EVERY, PATIENCE, Stopped, Turn};
use crate::cluster::client;
use crate::cluster::nodes::{Nodes, address_of, text};
use crate::{Failure, stopwatch};

/// How often it is asked whether a job has ended: seldom, as answering costs processor time, too.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How often a checkpoint is looked for while one is waited for.
const ASK_FOR_CHECKPOINT: Duration = Duration::from_millis(10);

/// A cluster of two JobManagers and three TaskManagers, and the job that runs there in turns.
pub(super) struct Ours<'a> {
    nodes: Nodes,
    count: &'a Path,
    /// Of what the jobs write.
    output: PathBuf,
    jobs: u32,
}

impl<'a> Ours<'a> {
    /// `output` is a directory that is removed by its owner.
    pub(super) async fn start(
        program: &Path,
        above: &Path,
        count: &'a Path,
        output: &Path,
        slots: u32,
    ) -> Result<Self, Failure> {
        Ok(Self {
            nodes: Nodes::start(program, above, 3, slots).await?,
            count,
            output: output.to_owned(),
            jobs: 0,
        })
    }

    /// Counts the whole file once.
    pub(super) async fn turn(&mut self, input: &Input, tasks: u32) -> Result<Turn, Failure> {
        let before = processes::cpu_of_descendants()?;
        let begin = stopwatch::now();
        let (job, output) = self.submit(input, tasks).await?;
        let path = format!("/v1/jobs/{job}");
        let look = async {
            loop {
                let view = client::get(self.nodes.any(), &path).await?;
                match text(&view["state"])? {
                    "finished" => return Ok(()),
                    "failed" | "canceled" => return Err(format!("the job ended: {view}").into()),
                    _ => tokio::time::sleep(ASK_EVERY).await,
                }
            }
        };
        let ended: Result<(), Failure> = tokio::time::timeout(PATIENCE, look)
            .await
            .map_err(|_| format!("the job has not finished in {PATIENCE:?}"))?;
        ended?;
        let turn = Turn {
            records: input.records,
            took: begin.elapsed(),
            cpu: processes::cpu_of_descendants()?.saturating_sub(before),
        };
        let counted = total(&output)?;
        if counted != input.records {
            return Err(format!("{counted} of {} records were counted", input.records).into());
        }
        fs::remove_dir_all(output)?;
        Ok(turn)
    }

    /// Kills a process half a second after a checkpoint, and watches until the next one.
    pub(super) async fn kill(
        &mut self,
        killed: Killed,
        input: &Input,
        tasks: u32,
    ) -> Result<Stopped, Failure> {
        let (job, output) = self.submit(input, tasks).await?;
        let path = format!("/v1/jobs/{job}");
        let first = self.checkpoint_after(&path, 1).await?;
        let last = self.checkpoint_after(&path, first).await?;
        tokio::time::sleep(AFTER_CHECKPOINT).await;
        let mut reading = Reading::of(&input.path);
        reading.has_moved()?;
        let at = match killed {
            Killed::Coordinator => self.nodes.kill_leader().await?,
            Killed::Worker => {
                let view = client::get(self.nodes.any(), &path).await?;
                let victim = address_of(&self.nodes, text(&view["tasks"][0]["node"])?).await?;
                self.nodes.kill_task_manager(victim).await?
            }
        };
        let stopped = self.watch(&path, last, at, reading).await?;
        self.cancel(&path).await?;
        match killed {
            Killed::Coordinator => self.nodes.start_job_manager()?,
            Killed::Worker => self.nodes.start_task_manager()?,
        }
        self.nodes.until_all_are_there().await?;
        fs::remove_dir_all(output)?;
        Ok(stopped)
    }

    /// From a kill until a checkpoint after this one is completed.
    async fn watch(
        &self,
        path: &str,
        last: u64,
        killed: Instant,
        mut reading: Reading,
    ) -> Result<Stopped, Failure> {
        let mut moved = killed;
        let mut pause = Duration::ZERO;
        let mut next = std::pin::pin!(self.checkpoint_after(path, last));
        loop {
            tokio::select! {
                number = &mut next => {
                    number?;
                    let checkpoint = stopwatch::now() - killed;
                    return Ok(Stopped { pause, checkpoint });
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if reading.has_moved()? {
                let now = stopwatch::now();
                pause = pause.max(now - moved);
                moved = now;
            }
        }
    }

    async fn submit(&mut self, input: &Input, tasks: u32) -> Result<(String, PathBuf), Failure> {
        self.jobs += 1;
        let output = self.output.join(format!("ours-{}", self.jobs));
        let spec = json!({
            "tasks": tasks,
            "command": [self.count, "--input", input.path, "--output", output],
            "checkpoints": {},
            "isolation": { "mode": "fenced" },
        });
        let (job, _) = self.nodes.submit_spec(spec).await?;
        Ok((job, output))
    }

    /// Waits for a completed checkpoint with a higher number than this.
    async fn checkpoint_after(&self, path: &str, number: u64) -> Result<u64, Failure> {
        let look = async {
            loop {
                // While nobody leads, the request waits, and may fail.
                let view = client::get(self.nodes.any(), path)
                    .await
                    .unwrap_or_default();
                if matches!(view["state"].as_str(), Some("failed" | "finished")) {
                    return Err("the job has ended too early: use more records".into());
                }
                match view["checkpoint"]["number"].as_u64() {
                    Some(found) if found > number => return Ok(found),
                    _ => tokio::time::sleep(ASK_FOR_CHECKPOINT).await,
                }
            }
        };
        let found: Result<u64, Failure> = tokio::time::timeout(PATIENCE, look)
            .await
            .map_err(|_| format!("no checkpoint after {number} in {PATIENCE:?}"))?;
        found
    }

    async fn cancel(&self, path: &str) -> Result<(), Failure> {
        let wish = json!({ "state": "canceled" });
        let desired = format!("{path}/desired");
        client::json(self.nodes.any(), Method::PUT, &desired, Some(wish)).await?;
        let is_over = |job: &Value| matches!(job["state"].as_str(), Some("canceled" | "finished"));
        client::until(self.nodes.any(), path, is_over).await?;
        Ok(())
    }
}

/// What the totals of the output come to.
fn total(output: &Path) -> Result<u64, Failure> {
    let mut sum = 0;
    for entry in fs::read_dir(output)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if !name.is_some_and(|name| name.starts_with("part-totals-")) {
            continue;
        }
        for line in fs::read_to_string(&path)?.lines() {
            let line: Value = serde_json::from_str(line)?;
            sum += line["total"].as_u64().ok_or("a line has no total")?;
        }
    }
    Ok(sum)
}
