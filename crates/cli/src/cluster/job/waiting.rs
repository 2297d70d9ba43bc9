//! What is told of a job that does not run, while its end is waited for. Pure.

use std::time::Duration;

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::JobView;
use tokio::time::Instant;

use super::describe::standing;

/// How long a job waits before that is told: most begin sooner.
const SILENCE: Duration = Duration::from_secs(2);

/// A job that may wait, and what was told of that.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    since: Option<Instant>,
    told: Option<String>,
}

impl Waiting {
    /// What to tell, if there is something new: for what it waits, and that it waits no more.
    pub(super) fn step(&mut self, job: &JobView, now: Instant) -> Option<String> {
        match job.state {
            JobState::Waiting | JobState::Restarting => {
                let since = *self.since.get_or_insert(now);
                let text = reason(job);
                let same = Some(without_times(&text));
                if now.duration_since(since) < SILENCE || self.told == same {
                    return None;
                }
                self.told = same;
                Some(text)
            }
            JobState::Running | JobState::Stopping | JobState::Suspended => {
                self.since = None;
                self.told.take().map(|_| standing(job))
            }
            // Its end is told at the end.
            JobState::Finished | JobState::Failed | JobState::Canceled => None,
        }
    }
}

/// How it stands, and for what the next attempt waits.
fn reason(job: &JobView) -> String {
    let standing = standing(job);
    // The first lines are about the attempt before, which is in there.
    let is_past = |line: &String| {
        line.starts_with("attempt ") || line.starts_with("its last lines") || line.starts_with(' ')
    };
    match job.why.iter().find(|line| !is_past(line)) {
        Some(why) if job.state == JobState::Restarting => format!("{standing}; {why}"),
        _ => standing,
    }
}

/// The text without times like `3.2 s`, which change while nothing else does.
fn without_times(text: &str) -> String {
    let mut words = text.split(' ').peekable();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        let is_unit =
            |next: &&str| matches!(next.trim_end_matches([':', ',', ';']), "ms" | "s" | "min");
        if word.parse::<f64>().is_ok() && words.next_if(is_unit).is_some() {
            continue;
        }
        kept.push(word);
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::describe::tests::job;
    use super::*;

    #[test]
    fn why_a_job_waits_is_told_after_a_while_once_and_again_if_it_changes() {
        let (begin, mut waiting) = (Instant::now(), Waiting::default());
        let at = |ms| begin + Duration::from_millis(ms);
        let mut view = job("waiting", 0, &[]);
        view.why = vec!["it needs 2 slots".into()];
        assert_eq!(waiting.step(&view, at(0)), None);
        assert_eq!(waiting.step(&view, at(1900)), None);
        let told = waiting.step(&view, at(2000));
        assert_eq!(told.as_deref(), Some("hello waits: it needs 2 slots"));
        assert_eq!(waiting.step(&view, at(2250)), None);
        view.why = vec!["it needs 1 slot".into()];
        assert!(waiting.step(&view, at(2500)).is_some());
        let runs = job("running", 1, &["running"]);
        let told = waiting.step(&runs, at(2750));
        assert_eq!(told.as_deref(), Some("hello runs: attempt 1, 1/1 tasks"));
        assert_eq!(waiting.step(&runs, at(3000)), None);
    }

    #[test]
    fn a_restart_says_for_what_it_waits_and_does_not_count_down() {
        let (begin, mut waiting) = (Instant::now(), Waiting::default());
        let mut view = job("restarting", 1, &["ended"]);
        let mut step = |ms, span: &str| {
            let delay = format!("the next attempt begins in {span}: the restart delay");
            let past = ["attempt 1: no room", "its last lines were:", "  no room"];
            view.why = past.map(str::to_owned).into_iter().chain([delay]).collect();
            waiting.step(&view, begin + Duration::from_millis(ms))
        };
        assert_eq!(step(0, "9.0 s"), None);
        let told = step(2000, "7.0 s").unwrap();
        assert!(
            told.ends_with("; the next attempt begins in 7.0 s: the restart delay"),
            "{told}"
        );
        assert_eq!(step(2250, "6.8 s"), None);
        assert_eq!(step(8500, "500 ms"), None);
    }
}
