//! Jobs of `incumbent-stream`, beside Flink's SQL on the same files, and beside a plain loop.
//!
//! ```text
//!   queries.rs    the keyed count and Nexmark's q0, q5, q8: records a CPU-second, memory
//!   plain.rs      the keyed count beside a loop in Rust without an engine; what checkpoints cost
//!   kills.rs      kill -9 of a worker to the next record in the sink
//!   lookups.rs    state asked for through a node that is neither leader nor owner
//!   idle.rs       what a job takes while no record comes
//!                 ours.rs: jobs on a cluster; flink.rs, sql.rs: Flink, by others/flink_stream.py;
//!                 account.rs: what processes take; input.rs: the files; row.rs: turns as a table
//! ```
//!
//! Everything runs on the same two processors, in turns.

mod account;
mod flink;
mod idle;
mod input;
mod kills;
mod lookups;
mod ours;
mod plain;
mod queries;
mod row;
mod sql;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::args::{StreamArgs, StreamPart};
use crate::report::{Figure, Section};
use crate::{Failure, program};

/// What everything runs on, if the machine has more.
const CORES: usize = 2;

/// After this time something that was expected has not happened.
const PATIENCE: Duration = Duration::from_secs(900);

/// Between checkpoints, in milliseconds, on both sides.
const INTERVAL_MS: u64 = 1000;

/// The programs that are measured.
struct Programs {
    incumbent: PathBuf,
    nexmark: PathBuf,
    plain: PathBuf,
    generate: PathBuf,
}

/// A job that ran from the beginning of its input to the end.
#[derive(Clone, Copy, Debug)]
struct Turn {
    records: u64,
    took: Duration,
    /// Of all processes of the system.
    cpu: Duration,
    /// The most that all of them together had in memory, in MiB.
    memory: f64,
}

pub(crate) async fn measure(
    above: &Path,
    args: &StreamArgs,
) -> Result<(Vec<Figure>, Vec<Section>), Failure> {
    pin()?;
    let programs = Programs {
        incumbent: program::find(args.program.as_deref())?,
        nexmark: program::find_binary("incumbent-nexmark", "nexmark")?,
        plain: program::find_example("incumbent-nexmark", "plain")?,
        generate: program::find_example("incumbent-nexmark", "generate")?,
    };
    let dir = tempfile::Builder::new()
        .prefix("incumbent-bench-")
        .tempdir_in(above)?;
    let place = dir.path().canonicalize()?;
    let mut notes = Vec::new();
    let mut flinks = Vec::new();
    for version in &args.flink {
        match flink::Flink::start(version, args.tasks).await {
            Ok(started) => flinks.push(started),
            Err(failure) => notes.push(format!("Flink {version} was not measured: {failure}.")),
        }
    }
    if args.flink.is_empty() {
        notes.push("Flink was left out: --flink VERSION measures it, too.".into());
    }
    let mut ours = ours::Ours::start(&programs, above, &place, args.tasks).await?;
    let (mut figures, mut sections) = (Vec::new(), Vec::new());
    for part in &args.only {
        match part {
            StreamPart::Queries => sections.push(
                queries::measure(&programs, &place, &mut ours, &mut flinks, &notes, args).await?,
            ),
            StreamPart::Plain => {
                sections.push(plain::measure(&programs, &place, &mut ours, args).await?);
            }
            StreamPart::Kills => {
                figures.extend(kills::measure(&mut ours, &mut flinks, args).await?);
            }
            StreamPart::Lookups => figures.extend(lookups::measure(&mut ours, args.tasks).await?),
            StreamPart::Idle => {
                figures.extend(idle::measure(&mut ours, args.tasks, args.turns).await?);
            }
        }
    }
    for flink in flinks {
        flink.end().await?;
    }
    Ok((figures, sections))
}

/// Keeps this process, and all that it starts, on the same processors.
fn pin() -> Result<(), Failure> {
    let mut cores = CpuSet::new();
    for core in 0..CORES {
        cores.set(core);
    }
    Ok(sched_setaffinity(None, &cores)?)
}
