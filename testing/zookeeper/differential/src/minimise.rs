//! Finds the shortest script that still shows a difference.

use std::time::Duration;

use tokio::time::Instant;

use crate::run::{Mismatch, Servers, Unusable, run};

/// The most runs of one minimisation: some seconds.
const MOST_RUNS: usize = 300;

/// The longest time of one minimisation, if a server is slow.
const LONGEST: Duration = Duration::from_secs(20);

/// Drops steps for as long as a difference of the same kind remains.
///
/// # Errors
/// A server cannot be used any more.
pub async fn minimise(mismatch: Mismatch, servers: &Servers) -> Result<Mismatch, Unusable> {
    let mut best = mismatch;
    let mut chunk = (best.script.steps.len() / 2).max(1);
    let mut runs = 0;
    let begun = Instant::now();
    loop {
        let mut end = best.script.steps.len();
        let mut shorter = false;
        // From the end: late steps depend on early ones.
        while end > 0 && runs < MOST_RUNS && begun.elapsed() < LONGEST {
            let start = end.saturating_sub(chunk);
            let mut script = best.script.clone();
            script.steps.drain(start..end);
            runs += 1;
            if let Some(found) = run(&script, servers).await?
                && found.difference.kind == best.difference.kind
            {
                best = found;
                shorter = true;
            }
            end = start.min(best.script.steps.len());
        }
        if runs >= MOST_RUNS || begun.elapsed() >= LONGEST || (chunk == 1 && !shorter) {
            return Ok(best);
        }
        chunk = (chunk / 2).max(1);
    }
}
