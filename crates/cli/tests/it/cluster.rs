//! The cluster: `up`, `job-manager`, `task-manager`, `job` and `node`.

mod bad_blobs;
mod bad_tasks;
mod bucket;
mod checkpoints;
mod counters;
mod counting;
mod counting_task;
mod deposed;
mod examples;
mod faults;
mod hostile;
mod intents;
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
