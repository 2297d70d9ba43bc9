//! `/jobmanager/…`: the one that leads.

use incumbent_cluster_core::view::ClusterView;
use serde_json::{Value, json};

use crate::VERSION;

/// `/jobmanager/config`: what there is to say of the cluster.
pub(crate) fn config(cluster: &ClusterView) -> Value {
    let leader = &cluster.leader;
    let entries = [
        ("cluster.id", cluster.id.clone()),
        ("jobmanager.name", leader.name.clone()),
        ("jobmanager.address", leader.address.clone()),
        ("jobmanager.process", leader.pid.to_string()),
        ("jobmanager.since", leader.since.clone()),
        ("high-availability.epoch", cluster.epoch.to_string()),
        ("taskmanager.slots", cluster.slots.to_string()),
    ];
    let entries = entries.into_iter();
    entries
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}

/// `/jobmanager/environment`.
pub(crate) fn environment() -> Value {
    json!({
        "jvm": { "version": VERSION, "arch": std::env::consts::ARCH, "options": [] },
        "classpath": [],
    })
}

/// `/jobmanager/log` and `/jobmanager/stdout`.
pub(crate) fn log(cluster: &ClusterView) -> String {
    let leader = &cluster.leader;
    format!(
        "{} (process {}, {}) leads since {} in epoch {}.\n\
         A JobManager logs to its standard error, which is kept by what started it: systemd, Kubernetes, or `incumbent up`.\n",
        leader.name, leader.pid, leader.address, leader.since, cluster.epoch
    )
}
