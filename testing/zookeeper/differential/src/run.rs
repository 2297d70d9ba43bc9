//! Runs scripts on two servers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::compare::{Comparison, Difference};
use crate::script::{ROOT_PREFIX, Script, Step};
use crate::side::Side;

/// The addresses of the two servers.
#[derive(Clone, Debug)]
pub struct Servers {
    /// The reference.
    pub reference: String,
    /// The server under test.
    pub ours: String,
}

/// A script on which two servers differ.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The script. Steps after the differing one do not matter.
    pub script: Script,
    /// The step; `None` for the handshakes before the first.
    pub step: Option<usize>,
    /// What differs.
    pub difference: Difference,
}

/// Why a script cannot be run.
#[derive(Debug, thiserror::Error)]
#[error("{address} does not serve, at the start or the end of seed {seed}")]
pub struct Unusable {
    /// The script.
    pub seed: u64,
    /// The server.
    pub address: String,
    /// Why.
    pub source: incumbent_zk_probe::Error,
}

/// Runs a script on both servers. Returns `Ok(None)` if there is no difference.
///
/// # Errors
///
/// A server cannot be used at all.
pub async fn run(script: &Script, servers: &Servers) -> Result<Option<Mismatch>, Unusable> {
    let name = root_name(script.seed);
    let root = format!("/{name}");
    let (left, right) = tokio::join!(
        start(&servers.reference, script, &root),
        start(&servers.ours, script, &root)
    );
    let ((mut left, left_seen), (mut right, right_seen)) = (left?, right?);
    let mut comparison = Comparison::new(&name);
    let mut result = comparison
        .step(None, [&left_seen, &right_seen], [&left.ids, &right.ids])
        .map_err(|difference| (None, difference));
    if result.is_ok() {
        for (number, step) in script.steps.iter().enumerate() {
            let bound = Step {
                session: step.session,
                act: step.act.below(&root),
            };
            let (left_seen, right_seen) = tokio::join!(left.step(&bound), right.step(&bound));
            let seen = [&left_seen, &right_seen];
            if let Err(difference) = comparison.step(Some(step), seen, [&left.ids, &right.ids]) {
                result = Err((Some(number), difference));
                break;
            }
        }
    }
    let (left_ended, right_ended) = tokio::join!(left.end(), right.end());
    // Two dead servers show no difference.
    left_ended.map_err(|source| unusable(&servers.reference, script, source))?;
    right_ended.map_err(|source| unusable(&servers.ours, script, source))?;
    Ok(result.err().map(|(step, difference)| {
        let mut script = script.clone();
        script.steps.truncate(step.map_or(0, |step| step + 1));
        Mismatch {
            script,
            step,
            difference,
        }
    }))
}

async fn start(
    address: &str,
    script: &Script,
    root: &str,
) -> Result<(Side, crate::side::Observation), Unusable> {
    let started = Side::start(address, script.sessions, root).await;
    started.map_err(|source| unusable(address, script, source))
}

fn unusable(address: &str, script: &Script, source: incumbent_zk_probe::Error) -> Unusable {
    Unusable {
        seed: script.seed,
        address: address.to_owned(),
        source,
    }
}

/// A name that no other run on the same servers has. The servers may be older than this process.
fn root_name(seed: u64) -> String {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    format!("{ROOT_PREFIX}{seed}-{}-{run}", std::process::id())
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.difference.kind)?;
        write!(f, "{}", self.script)?;
        match self.step {
            Some(step) => writeln!(f, "differs at step {step}")?,
            None => writeln!(f, "differs before the first step")?,
        }
        write!(f, "{}", self.difference.detail)
    }
}
