//! Many scripts.

use std::collections::BTreeMap;
use std::ops::Range;

use futures::StreamExt;
use futures::stream;

use crate::generate::script;
use crate::minimise::minimise;
use crate::run::{Mismatch, Servers, Unusable, run};

/// Which scripts to run, and how.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Their seeds.
    pub seeds: Range<u64>,
    /// How many run at once.
    pub jobs: usize,
    /// How many different kinds of differences are enough.
    pub most_kinds: usize,
}

/// The outcome of a campaign.
#[derive(Debug, Default)]
pub struct Report {
    /// Scripts that were run.
    pub scripts: u64,
    /// Steps of the scripts that showed no difference.
    pub steps: u64,
    /// For each kind of difference, the number of scripts that showed it, and the first of them,
    /// minimised.
    pub differences: BTreeMap<String, (u64, Mismatch)>,
}

impl Campaign {
    /// Runs the scripts until all are done or enough differences are found.
    ///
    /// # Errors
    ///
    /// A server cannot be used any more.
    pub async fn run(&self, servers: &Servers) -> Result<Report, Unusable> {
        let mut report = Report::default();
        let mut runs = stream::iter(self.seeds.clone())
            .map(|seed| async move {
                let script = script(seed);
                let found = run(&script, servers).await?;
                Ok::<_, Unusable>((script.steps.len() as u64, found))
            })
            .buffer_unordered(self.jobs.max(1));
        while let Some(done) = runs.next().await {
            let (steps, found) = done?;
            report.scripts += 1;
            let Some(mismatch) = found else {
                report.steps += steps;
                continue;
            };
            let kind = mismatch.difference.kind.clone();
            if let Some((count, _)) = report.differences.get_mut(&kind) {
                *count += 1;
                continue;
            }
            let shortest = minimise(mismatch, servers).await?;
            report.differences.insert(kind, (1, shortest));
            if report.differences.len() >= self.most_kinds {
                break;
            }
        }
        Ok(report)
    }
}
