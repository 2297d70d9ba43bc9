//! What no job needs, and what keeps a JobManager from starting. Pure: the contents of a store in,
//! findings out, each with the keys that would go and the reason.
//!
//! Two questions decide about each finding. *Does Flink make anything else of the data without it?*
//! If so, it goes only if a person names it. *Would a leading JobManager notice?* If so, it goes
//! only while nobody leads.

mod finding;
mod jobs;
mod leaders;
mod named;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use finding::{Finding, FindingKind};

use crate::data::{Contents, Gate};
use crate::plan::Life;
pub(crate) use finding::Change;

/// What would be cleaned, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cleaning {
    /// The address, without login and options.
    pub source: String,
    /// Why only that may go which a leading JobManager does not notice. `None` if nobody leads.
    pub in_use: Option<String>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// What a person asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanRequest {
    /// Look whether files are there, if their scheme is `file`.
    pub files: bool,
    /// On Kubernetes, watch the lock for its lease. Without it, somebody may lead.
    pub wait: bool,
    /// How many checkpoints of a job stay; `None` is all.
    pub retain: Option<usize>,
    /// Keys to remove. If there are any, or any counters, nothing else is found.
    pub remove: Vec<String>,
    /// Jobs whose counters are set, and to what.
    pub counters: Vec<(String, u64)>,
}

impl CleanRequest {
    /// Whether single entries are named.
    pub(crate) fn names_entries(&self) -> bool {
        !self.remove.is_empty() || !self.counters.is_empty()
    }
}

impl Cleaning {
    /// The findings that `--apply` removes or mends.
    pub fn chosen(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.kept.is_none())
    }

    pub(crate) fn changes(&self) -> Vec<Change> {
        self.chosen()
            .flat_map(|finding| finding.changes.clone())
            .collect()
    }
}

/// Finds what may go.
///
/// # Errors
///
/// What a person has named and is not there, or may not be done, in words.
pub(crate) fn clean(
    contents: &Contents,
    life: &Life,
    request: &CleanRequest,
) -> Result<Cleaning, String> {
    let in_use = match life {
        Life::Nobody => None,
        Life::Leads(why) | Life::NotWatched(why) => Some(why.clone()),
    };
    let led = in_use.is_some();
    let mut findings = if request.names_entries() {
        named::findings(contents, request)?
    } else if let Some(Gate::Copying { from, .. }) = &contents.gate {
        vec![finding::half_done(contents, from)]
    } else {
        let mut found = leaders::findings(contents, led);
        found.extend(jobs::orphans(contents, led));
        found.extend(jobs::damaged(contents));
        found.extend(jobs::superseded(contents, request.retain));
        found.extend(jobs::counters(contents));
        found
    };
    if led {
        for finding in &mut findings {
            if finding.needs_stop && finding.kept.is_none() {
                finding.kept = Some("a JobManager leads, or may: stop it first".into());
            }
        }
    }
    Ok(Cleaning {
        source: contents.cluster.source.clone(),
        in_use,
        findings,
    })
}
