//! What a killed JobManager, a killed TaskManager and a submission cost a job, and what a thousand
//! jobs cost a JobManager.
//!
//! ```text
//!   kills.rs    the leading JobManager is killed, again and again, under a running job
//!   starts.rs   a job is submitted, and later its TaskManager is killed
//!   checkpoints.rs   a job with state: its checkpoints, another number of tasks, a killed TaskManager
//!   counting/   the counting job of examples/jobs, beside Flink's SQL
//!   many.rs     a thousand jobs of one sleeping task
//!   adoption.rs ten thousand jobs on each kind of store (stores.rs), adopted
//!   others.rs   what a killed coordinator costs elsewhere: Flink, Ray, Dask
//!               nodes.rs: the processes of a cluster; client.rs: asks /v1; task.rs, stateful.rs: measured tasks
//! ```

mod adoption;
mod checkpoints;
pub(crate) mod client;
mod counting;
mod kills;
mod many;
pub(crate) mod nodes;
mod others;
mod starts;
pub(crate) mod stateful;
mod stores;
pub(crate) mod task;

use std::path::Path;

use crate::args::{ClusterArgs, ClusterPart};
use crate::report::{Figure, Section};
use crate::{Failure, program};

pub(crate) async fn measure(
    above: &Path,
    args: &ClusterArgs,
) -> Result<(Vec<Figure>, Vec<Section>), Failure> {
    let program = program::find(args.program.as_deref())?;
    let mut figures = Vec::new();
    let mut sections = Vec::new();
    for part in &args.only {
        match part {
            ClusterPart::Kills => figures.extend(kills::measure(above, &program, args).await?),
            ClusterPart::Starts => figures.extend(starts::measure(above, &program, args).await?),
            ClusterPart::Checkpoints => {
                figures.extend(checkpoints::measure(above, &program, args).await?);
            }
            ClusterPart::Counting => {
                sections.extend(counting::measure(above, &program, args).await?);
            }
            ClusterPart::Many => figures.extend(many::measure(above, &program, args).await?),
            ClusterPart::Adoption => {
                figures.extend(adoption::measure(above, &program, args).await?);
            }
            ClusterPart::Others => sections.push(others::measure(above, &program, args).await?),
        }
    }
    Ok((figures, sections))
}
