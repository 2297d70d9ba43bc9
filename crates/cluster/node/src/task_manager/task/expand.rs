//! Templates in the command and the environment of a task.

use std::path::Path;

use incumbent_cluster_core::message::Deploy;

/// A command and an environment without templates.
#[derive(Debug)]
pub(super) struct Expanded {
    pub(super) command: Vec<String>,
    pub(super) env: Vec<(String, String)>,
}

/// Puts in what this task has for each template.
pub(super) fn expand(deploy: &Deploy, artifact: Option<&Path>) -> Result<Expanded, String> {
    let _ = artifact;
    Ok(Expanded {
        command: deploy.command.clone(),
        env: deploy.env.clone(),
    })
}
