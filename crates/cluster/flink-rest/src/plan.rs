//! The plan of a job: one vertex, its gang.

use incumbent_cluster_core::view::JobView;
use serde_json::{Value, json};

use crate::state;

/// The id of the vertex of a job: the job's own, as that has 32 hexadecimal digits too.
pub(crate) fn vertex_id(job: &JobView) -> &str {
    &job.id
}

/// The name of the vertex: what its tasks run.
pub(crate) fn vertex_name(job: &JobView) -> String {
    const LONGEST: usize = 80;
    let command = job.spec.as_ref().map(|spec| spec.command.join(" "));
    let mut name = command
        .filter(|command| !command.is_empty())
        .unwrap_or_else(|| job.name.clone());
    if name.len() > LONGEST {
        name.truncate(name.floor_char_boundary(LONGEST));
        name.push('…');
    }
    name
}

/// The plan.
pub(crate) fn plan(job: &JobView) -> Value {
    json!({
        "jid": job.id,
        "name": job.name,
        "type": "STREAMING",
        "nodes": [{
            "id": vertex_id(job),
            "parallelism": state::tasks(job),
            "operator": "",
            "operator_strategy": "",
            // The dashboard shows it as HTML; what is in a command is no markup.
            "description": escaped(&vertex_name(job)),
            "optimizer_properties": {},
        }],
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
