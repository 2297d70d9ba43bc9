//! The counting job: how often each key occurs in a file of JSON lines, whatever is killed.
//!
//! ```sh
//! cargo build --release -p incumbent-task --example count
//! incumbent job run examples/jobs/count-rust.toml
//! ```
//!
//! It is `examples/jobs/counter` once more, for more records a second, with the same input, output
//! and state. `job.rs` is the job; `state.rs` is what it keeps in a checkpoint, by key group, so
//! that any number of tasks can go on with it; `input.rs` makes the input, if there is none, and
//! what is right for it.

mod input;
mod job;
mod state;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = job::Options::parse(&arguments).and_then(|options| job::run(&options));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("count: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
