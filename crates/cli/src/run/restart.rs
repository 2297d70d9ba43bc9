//! How long to wait before the command is started again.

use std::time::Duration;

use incumbent::backend::Pace;

/// The first pause, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pauses of a command that exits again and again. After a run of the longest pause they begin
/// anew: a command that crashes once a day is started again at once.
pub(super) fn pace() -> Pace {
    Pace::new(FIRST_PAUSE, LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_the_command_fails_and_begin_anew_after_a_healthy_run() {
        let mut pace = pace();
        let mut after = |seconds| {
            pace.after_run(Duration::from_secs(seconds), u64::MAX)
                .as_secs()
        };
        let pauses = [0, 1, 2, 0, 3, 0, 0].map(&mut after);
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!([3600, 0].map(after), [1, 2]);
    }
}
