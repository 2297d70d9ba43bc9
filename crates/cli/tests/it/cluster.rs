//! The cluster: `up`, `job-manager`, `task-manager`, `job` and `node`.

#[path = "cluster/usage.rs"]
mod usage;
