//! [`Presence`]: whether a TaskManager, and so what it ran, is there, silent, or gone (R8, R9).

use std::time::Duration;

use incumbent_core::Time;

use super::LeaderConfig;
use crate::Isolation;

/// What the tasks of a TaskManager are, as far as a job of some isolation may conclude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It reports.
    Here,
    /// It has not reported for a while, or not yet to this term. Its tasks may run.
    Silent {
        /// Since when, on this leader's clock.
        since: Time,
        /// When its tasks count as gone; `None` if silence never shows it.
        gone_at: Option<Time>,
    },
    /// Its tasks are gone, or can change nothing any more.
    Gone(GoneBecause),
}

/// Why tasks count as gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoneBecause {
    /// Their TaskManager and all its guards are proven dead, or a person says so.
    Dead,
    /// The silence was long enough.
    Silence {
        /// Since when, on this leader's clock.
        since: Time,
    },
}

/// Clocks may differ by this much between two processes: a twentieth, 5 %.
const CLOCK_DRIFT_PART: u32 = 20;

/// How long a TaskManager must be silent before the tasks of such a job count as gone; `None` for
/// never.
///
/// For an exclusive job, the TaskManager ends them one isolation timeout after it has *sent* the
/// last heartbeat that was acknowledged. A deposed leader may have acknowledged one for a lease.
/// The two clocks may run differently.
pub(super) fn patience(isolation: Isolation, config: &LeaderConfig) -> Option<Duration> {
    match isolation {
        Isolation::Fenced => Some(config.silence),
        Isolation::Exclusive { timeout_ms } => {
            let wait = Duration::from_millis(timeout_ms?).saturating_add(config.lease);
            Some(wait.saturating_add(wait / CLOCK_DRIFT_PART))
        }
    }
}

/// What silence since `since` shows at `now`.
///
/// `since` is the later of the last message and this leader's grant.
pub(super) fn of_silence(
    since: Time,
    now: Time,
    isolation: Isolation,
    config: &LeaderConfig,
) -> Presence {
    let gone_at = patience(isolation, config).map(|patience| since + patience);
    match gone_at {
        Some(at) if at <= now => Presence::Gone(GoneBecause::Silence { since }),
        Some(_) | None => Presence::Silent { since, gone_at },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exclusive_task_is_waited_for_by_timeout_and_lease_and_a_twentieth() {
        let config = LeaderConfig::usual(Duration::from_secs(10), String::new());
        let of = |timeout_ms| patience(Isolation::Exclusive { timeout_ms }, &config);
        assert_eq!(of(Some(90_000)), Some(Duration::from_secs(105)));
        assert_eq!(of(None), None);
        assert_eq!(patience(Isolation::Fenced, &config), Some(config.silence));
        assert_eq!(
            of(Some(u64::MAX)).map(|wait| wait > config.lease),
            Some(true)
        );
    }
}
