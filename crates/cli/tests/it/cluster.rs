//! The cluster: `up`, `job-manager`, `task-manager`, `job` and `node`.

mod hostile;
mod jobs;
mod logs;
mod networks;
mod running;
mod story;
mod tls;
mod up;
mod usage;
