//! Templates in the command and the environment of a task.

use std::path::Path;

use incumbent_cluster_core::message::Deploy;
use incumbent_cluster_core::template::{Expanded, Templates, Values};

/// Puts in what this task has for each template. They were checked when the job was submitted, so
/// what is left is what becomes too long here.
pub(super) fn expand(deploy: &Deploy, artifact: Option<&Path>) -> Result<Expanded, String> {
    let artifact = match artifact.map(|path| path.to_str().ok_or(path)) {
        Some(Err(path)) => {
            return Err(format!(
                "{} is not UTF-8; use another --dir",
                path.display()
            ));
        }
        Some(Ok(path)) => Some(path),
        None => None,
    };
    let env = deploy
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let templates = Templates::parse(&deploy.command, env)
        .map_err(|bad| bad.first().map_or_else(String::new, ToString::to_string))?;
    let values = Values {
        rank: deploy.task.rank,
        tasks: deploy.tasks,
        attempt: deploy.task.attempt,
        port: deploy.port,
        peers: &deploy.peers,
        artifact,
    };
    templates.expand(&values).map_err(|bad| bad.to_string())
}

#[cfg(test)]
mod tests {
    use incumbent_cluster_core::{Attempt, Incarnation, Isolation, JobId, Rank, TaskId};

    use super::*;

    #[test]
    fn a_task_gets_what_is_its_own() {
        let text = str::to_owned;
        let deploy = Deploy {
            task: TaskId {
                job: JobId::new(1),
                incarnation: Incarnation::new(1),
                attempt: Attempt(3),
                rank: Rank(1),
            },
            slot: 0,
            port: 7002,
            name: text("x"),
            tasks: 2,
            peers: vec![text("a:7001"), text("b:7002")],
            command: vec![
                text("{artifact}"),
                text("{rank}/{tasks}#{attempt} {peer0.host}"),
            ],
            env: vec![(text("P"), text("{peers:;} {port}"))],
            env_files: Vec::new(),
            artifact: None,
            is_checkpointing: false,
            restore: None,
            isolation: Isolation::default(),
            grace_ms: 0,
        };
        let expanded = expand(&deploy, Some(Path::new("/tasks/x"))).unwrap();
        assert_eq!(expanded.command, ["/tasks/x", "1/2#3 a"]);
        assert_eq!(expanded.env, [(text("P"), text("a:7001;b:7002 7002"))]);
        let missing = expand(&deploy, None).unwrap_err();
        assert!(missing.contains("the job has no artifact"), "{missing}");
    }
}
