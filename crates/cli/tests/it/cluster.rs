//! The cluster: `up`, `job-manager`, `task-manager`, `job` and `node`.

mod bad_blobs;
mod bad_tasks;
mod bucket;
mod counting;
mod deposed;
mod faults;
mod hostile;
mod jobs;
mod kills;
mod logs;
mod lost;
mod networks;
mod past;
mod running;
mod store_gone;
mod storm;
mod story;
mod tls;
mod up;
mod usage;
mod witness;
