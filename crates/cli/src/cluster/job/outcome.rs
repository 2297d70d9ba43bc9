//! How a job has ended, as an exit code.

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::JobView;

/// The job was canceled.
pub(super) const CANCELED: u8 = 121;

/// The job failed, and no task's exit code says how.
pub(super) const LOST: u8 = 122;

/// The exit code of a job that has ended; `None` as long as it has not.
pub(super) fn exit_code(job: &JobView) -> Option<u8> {
    match job.state {
        JobState::Finished => Some(0),
        JobState::Canceled => Some(CANCELED),
        JobState::Failed => Some(failed(job).unwrap_or(LOST)),
        JobState::Waiting
        | JobState::Running
        | JobState::Restarting
        | JobState::Stopping
        | JobState::Suspended => None,
    }
}

/// The code of the task that failed first.
fn failed(job: &JobView) -> Option<u8> {
    let cause = job.cause.as_ref()?;
    let code = match (cause.exit_code, cause.signal) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => return None,
    };
    u8::try_from(code).ok().filter(|code| *code != 0)
}
