//! Jobs of `nexmark` on a cluster of this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::account::Of;
use super::{PATIENCE, Programs, Turn};
use crate::cluster::client;
use crate::cluster::nodes::{Nodes, text};
use crate::{Failure, stopwatch};

/// How often it is asked whether a job has ended: seldom, as answering costs processor time, too.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// A JobManager and three TaskManagers, and the jobs that run there in turns.
pub(super) struct Ours {
    pub(super) nodes: Nodes,
    nexmark: PathBuf,
    /// Of what the jobs write.
    place: PathBuf,
    jobs: u32,
}

/// A job that runs.
pub(super) struct Running {
    /// Its path in the API.
    pub(super) path: String,
    /// What it writes.
    pub(super) output: PathBuf,
}

impl Ours {
    pub(super) async fn start(
        programs: &Programs,
        above: &Path,
        place: &Path,
        slots: u32,
    ) -> Result<Self, Failure> {
        Ok(Self {
            nodes: Nodes::start_with(&programs.incumbent, above, 1, 3, slots).await?,
            nexmark: programs.nexmark.clone(),
            place: place.to_owned(),
            jobs: 0,
        })
    }

    /// Runs a query from the beginning of the files to their end, and returns what it wrote, too.
    pub(super) async fn turn(
        &mut self,
        query: &str,
        input: &super::input::Input,
        tasks: u32,
        interval_ms: u64,
        others: &[u32],
    ) -> Result<(Turn, PathBuf), Failure> {
        let of = Of::AllBut(others.to_vec());
        let before = of.cpu()?;
        let begin = stopwatch::now();
        let dir = format!("file://{}", input.dir.display());
        let job = self
            .submit(query, &["--input", &dir], tasks, interval_ms)
            .await?;
        let ((), memory) = of.peak(self.until_finished(&job)).await?;
        let turn = Turn {
            records: input.records,
            took: begin.elapsed(),
            cpu: of.cpu()?.saturating_sub(before),
            memory,
        };
        Ok((turn, job.output))
    }

    async fn until_finished(&self, job: &Running) -> Result<(), Failure> {
        let look = async {
            loop {
                let view = client::get(self.nodes.any(), &job.path).await?;
                match text(&view["state"])? {
                    "finished" => return Ok(()),
                    "failed" | "canceled" => {
                        return Err(
                            format!("the job ended: {view}: {}", self.log(job).await).into()
                        );
                    }
                    _ if view["attempt"].as_u64() > Some(1) => {
                        let log = self.log(job).await;
                        return Err(format!("the job was restarted: {view}: {log}").into());
                    }
                    _ => tokio::time::sleep(ASK_EVERY).await,
                }
            }
        };
        let ended: Result<(), Failure> = tokio::time::timeout(PATIENCE, look)
            .await
            .map_err(|_| format!("the job has not finished in {PATIENCE:?}"))?;
        ended
    }

    /// What its first task said last.
    async fn log(&self, job: &Running) -> String {
        let path = format!("{}/tasks/0/logs", job.path);
        match client::ask(self.nodes.any(), Method::GET, &path, None).await {
            Ok(answered) => String::from_utf8_lossy(&answered.body).into_owned(),
            Err(failure) => failure.to_string(),
        }
    }

    pub(super) async fn submit(
        &mut self,
        query: &str,
        arguments: &[&str],
        tasks: u32,
        interval_ms: u64,
    ) -> Result<Running, Failure> {
        self.jobs += 1;
        let output = self.place.join(format!("ours-{}", self.jobs));
        std::fs::create_dir_all(&output)?;
        let mut command = vec![json!(self.nexmark), json!(query)];
        command.extend(arguments.iter().map(|argument| json!(argument)));
        command.push(json!("--output"));
        command.push(json!(format!("file://{}", output.display())));
        let spec = json!({
            "tasks": tasks,
            "command": command,
            "checkpoints": { "interval_ms": interval_ms },
        });
        let (job, _) = self.nodes.submit_spec(spec).await?;
        Ok(Running {
            path: format!("/v1/jobs/{job}"),
            output,
        })
    }

    /// Waits for a completed checkpoint with a higher number than this.
    pub(super) async fn checkpoint_after(
        &self,
        job: &Running,
        number: u64,
    ) -> Result<u64, Failure> {
        let number_of = |view: &Value| view["checkpoint"]["number"].as_u64();
        // A job that fails at once, again and again, is told as soon as it does.
        let fails = |view: &Value| view["attempt"].as_u64() > Some(1);
        let view = client::until(self.nodes.any(), &job.path, |view| {
            number_of(view) > Some(number) || fails(view)
        })
        .await?;
        if fails(&view) {
            return Err(format!("the job was restarted: {}", view["cause"]).into());
        }
        Ok(number_of(&view).unwrap_or_default())
    }

    pub(super) async fn cancel(&self, job: &Running) -> Result<(), Failure> {
        let wish = json!({ "state": "canceled" });
        let desired = format!("{}/desired", job.path);
        client::json(self.nodes.any(), Method::PUT, &desired, Some(wish)).await?;
        let is_over = |job: &Value| matches!(job["state"].as_str(), Some("canceled" | "finished"));
        client::until(self.nodes.any(), &job.path, is_over).await?;
        Ok(())
    }
}
