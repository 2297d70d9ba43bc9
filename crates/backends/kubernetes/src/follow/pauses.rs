//! Pauses before a watch starts again.

use std::time::Duration;

use incumbent_backend::Pace;

/// The first pause is short, for a server that restarts. The longest one is such that many
/// processes that lost the same server do not keep it busy.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Longest pause if the server refuses: a person has to change a role first.
const LONGEST_REFUSED: Duration = Duration::from_secs(30);

/// A watch that lasted this long was healthy: its end is not one more failure in a row.
const HEALTHY: Duration = Duration::from_secs(5);

/// After a watch that broke or ended.
pub(super) fn after_break() -> Pace {
    Pace::new(FIRST, LONGEST).healthy_after(HEALTHY)
}

/// After a watch that the server refused.
pub(super) fn after_refusal() -> Pace {
    Pace::new(FIRST, LONGEST_REFUSED).healthy_after(HEALTHY)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server ends each watch after five minutes. After an hour, the next one starts as fast as
    /// the first.
    #[test]
    fn watches_that_end_in_order_do_not_make_the_pauses_grow() {
        let mut pace = after_break();
        for _ in 0..12 {
            assert_eq!(pace.after_run(Duration::from_secs(290), u64::MAX), FIRST);
        }
    }

    #[test]
    fn watches_that_break_at_once_do() {
        let mut pace = after_break();
        let pauses: Vec<Duration> = (0..8)
            .map(|_| pace.after_run(Duration::from_millis(10), u64::MAX))
            .collect();
        assert!(pauses.is_sorted() && pauses[7] == LONGEST, "{pauses:?}");
    }
}
