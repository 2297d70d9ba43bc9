//! The cluster: `up`, `job-manager`, `task-manager`, `job` and `node`.

mod usage;
