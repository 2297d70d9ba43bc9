//! A node with real connections, on stores in memory and in directories.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod job_manager;
mod task_manager;
