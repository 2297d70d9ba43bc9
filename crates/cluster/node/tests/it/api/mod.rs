//! `/v1` on nodes with real connections, and who may ask what.

mod artifacts;
mod checkpoints;
mod flink;
mod group;
mod harness;
mod led;
mod logs;
mod metrics;
mod openapi;
mod overview;
mod pages;
mod savepoints;
mod security;
mod serving;
mod state;
mod stored;
mod submit;
mod task_http;
mod tls;
mod whole;
mod wishes;
