//! What the machine has to say, as lines of the log.

use incumbent::Epoch;
use incumbent_cluster_core::leader::Story;
use tracing::field::display;

/// Logs a line. Every line about a job has `job`, by which one job is found in the logs of all
/// nodes.
pub(super) fn tell(node: &str, epoch: Epoch, story: &Story) {
    let epoch = epoch.get();
    let job = story.job.map(display);
    let attempt = story.attempt.map(|attempt| attempt.0);
    let text = &story.text;
    if story.is_warning {
        tracing::warn!(node, epoch, job, attempt, "{text}");
    } else {
        tracing::info!(node, epoch, job, attempt, "{text}");
    }
}
