//! Logs of TaskManagers: what their tasks print. A task is a file, named `JOB-RANK.log`.

use incumbent_cluster_core::view::{JobView, NodeView};
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::errors::Failure;

/// Lines of a task that are shown, the last ones.
const TAIL: usize = 1000;

/// Tasks that are shown together. More of them are in the list.
const TOGETHER: usize = 20;

/// The log of one task.
pub(crate) struct File<'a> {
    job: &'a JobView,
    rank: u32,
}

impl File<'_> {
    fn name(&self) -> String {
        format!("{}-{}.log", self.job.name, self.rank)
    }

    fn path(&self) -> String {
        format!(
            "/v1/jobs/{}/tasks/{}/logs?tail={TAIL}",
            self.job.id, self.rank
        )
    }
}

/// The logs of the tasks that a TaskManager has.
pub(crate) fn files<'a>(node: &NodeView, jobs: &'a [JobView]) -> Vec<File<'a>> {
    let mut files = Vec::new();
    for job in jobs.iter().filter(|job| !job.state.is_terminal()) {
        for task in &job.tasks {
            if task.node.as_deref() == Some(&node.name) {
                files.push(File {
                    job,
                    rank: task.rank,
                });
            }
        }
    }
    files
}

/// The list.
pub(crate) fn list(files: &[File<'_>], now: i64) -> Value {
    // Their sizes are known where they are only.
    let of = |file: &File<'_>| json!({ "name": file.name(), "size": 0, "mtime": now });
    json!({ "logs": files.iter().map(of).collect::<Vec<_>>() })
}

/// One of them, by its name.
pub(crate) async fn one(ask: &Ask, files: &[File<'_>], name: &str) -> Result<String, Failure> {
    let found = files.iter().find(|file| file.name() == name);
    let file =
        found.ok_or_else(|| Failure::not_found(format!("There is no log {name:?} here.")))?;
    ask.text(&file.path()).await
}

/// All of them, one after the other.
pub(crate) async fn all(ask: &Ask, files: &[File<'_>]) -> Result<String, Failure> {
    let mut text = String::new();
    for file in files.iter().take(TOGETHER) {
        text.push_str(&format!("==> {} <==\n", file.name()));
        match ask.text(&file.path()).await {
            Ok(lines) => text.push_str(&lines),
            Err(failure) => text.push_str(&format!("(it cannot be read: {})\n", failure.message)),
        }
    }
    if text.is_empty() {
        text.push_str("No task runs here.\n");
    }
    if files.len() > TOGETHER {
        text.push_str(&format!(
            "(and {} more tasks: see the list of logs)\n",
            files.len() - TOGETHER
        ));
    }
    Ok(text)
}
