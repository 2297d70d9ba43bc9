//! Which jobs fit, in which order, and which of them are on the page. Pure.

use std::cmp::{Ordering, Reverse};

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::{JobView, TaskViewState};
use serde::Deserialize;

use super::types::{JobRow, JobRows, RowCheckpoint};

/// Most rows on a page.
pub const MOST_ROWS: usize = 1000;

/// Rows on a page if nothing is said.
pub const USUAL_ROWS: usize = 100;

/// The longest reason in a row, in bytes. The job has the whole.
const LONGEST_WHY: usize = 200;

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    state: Option<JobState>,
    name: Option<String>,
    #[serde(default)]
    sort: Sort,
    descending: Option<bool>,
    pub(super) limit: Option<usize>,
    #[serde(default)]
    offset: usize,
}

/// By what rows are sorted; then by id.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sort {
    #[default]
    Submitted,
    Name,
    State,
    Tasks,
    Restarts,
    Checkpoint,
}

pub(super) fn rows(jobs: &[JobView], wanted: &Wanted, is_complete: bool) -> JobRows {
    let name = wanted.name.as_deref().unwrap_or_default().to_lowercase();
    let fits = |job: &&JobView| {
        wanted.state.is_none_or(|state| job.state == state)
            && (name.is_empty()
                || job.name.to_lowercase().contains(&name)
                || job.id.contains(&name))
    };
    let mut fitting: Vec<&JobView> = jobs.iter().filter(fits).collect();
    let is_descending = wanted.descending.unwrap_or(true);
    fitting.sort_by(|one, other| {
        let order = order(one, other, wanted.sort).then_with(|| one.id.cmp(&other.id));
        if is_descending {
            order.reverse()
        } else {
            order
        }
    });
    let total = fitting.len();
    let page = fitting.into_iter().skip(wanted.offset);
    JobRows {
        jobs: page
            .take(wanted.limit.unwrap_or(USUAL_ROWS))
            .map(row)
            .collect(),
        offset: wanted.offset,
        total,
        all: jobs.len(),
        is_complete,
    }
}

fn order(one: &JobView, other: &JobView, sort: Sort) -> Ordering {
    let completed = |job: &JobView| {
        job.checkpoint
            .as_ref()
            .map(|last| last.completed_at.clone())
    };
    match sort {
        Sort::Submitted => one.submitted_at.cmp(&other.submitted_at),
        // Names are read from A to Z, so that is what "the highest first" turns around.
        Sort::Name => Reverse(&one.name).cmp(&Reverse(&other.name)),
        Sort::State => urgency(one.state).cmp(&urgency(other.state)),
        Sort::Tasks => one.task_count().cmp(&other.task_count()),
        Sort::Restarts => one.restarts.cmp(&other.restarts),
        Sort::Checkpoint => completed(one).cmp(&completed(other)),
    }
}

/// How much a state wants to be looked at.
fn urgency(state: JobState) -> u8 {
    match state {
        JobState::Failed => 7,
        JobState::Restarting => 6,
        JobState::Waiting => 5,
        JobState::Stopping => 4,
        JobState::Running => 3,
        JobState::Suspended => 2,
        JobState::Canceled => 1,
        JobState::Finished => 0,
    }
}

fn row(job: &JobView) -> JobRow {
    let is_running = |state| state == TaskViewState::Running;
    JobRow {
        id: job.id.clone(),
        name: job.name.clone(),
        state: job.state,
        tasks: job.task_count(),
        running: job
            .tasks
            .iter()
            .filter(|task| is_running(task.state))
            .count(),
        attempt: job.attempt,
        restarts: job.restarts,
        checkpoint: job.checkpoint.as_ref().map(|last| RowCheckpoint {
            number: last.number,
            completed_at: last.completed_at.clone(),
        }),
        why: why(job),
        submitted_at: job.submitted_at.clone(),
        ended_at: job.ended_at.clone(),
    }
}

/// Why it does not run, in one line.
pub(super) fn why(job: &JobView) -> Option<String> {
    let failed = || {
        let is_failed = matches!(job.state, JobState::Failed | JobState::Restarting);
        job.cause
            .as_ref()
            .filter(|_| is_failed)
            .map(|cause| &cause.message)
    };
    let line = job.why.first().or_else(failed)?;
    let mut line = line.lines().next().unwrap_or_default().to_owned();
    if line.len() > LONGEST_WHY {
        line.truncate(line.floor_char_boundary(LONGEST_WHY));
        line.push('…');
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::super::tests::job;
    use super::*;

    fn names(wanted: &Wanted) -> Vec<String> {
        let jobs = [
            job("alpha", JobState::Running, "2026-01-01T00:00:02Z"),
            job("beta", JobState::Failed, "2026-01-01T00:00:01Z"),
            job("Gamma", JobState::Running, "2026-01-01T00:00:03Z"),
        ];
        let rows = rows(&jobs, wanted, true);
        assert_eq!(rows.all, 3);
        rows.jobs.into_iter().map(|row| row.name).collect()
    }

    #[test]
    fn rows_are_filtered_sorted_and_cut() {
        let by = |sort, descending| Wanted {
            sort,
            descending: Some(descending),
            ..Wanted::default()
        };
        assert_eq!(names(&Wanted::default()), ["Gamma", "alpha", "beta"]);
        assert_eq!(
            names(&by(Sort::Submitted, false)),
            ["beta", "alpha", "Gamma"]
        );
        assert_eq!(names(&by(Sort::State, true))[0], "beta");
        let found = Wanted {
            name: Some("AM".into()),
            ..Wanted::default()
        };
        assert_eq!(names(&found), ["Gamma"]);
        let running = Wanted {
            state: Some(JobState::Running),
            limit: Some(1),
            offset: 1,
            ..Wanted::default()
        };
        assert_eq!(names(&running), ["alpha"]);
        let beyond = Wanted {
            offset: 9,
            ..Wanted::default()
        };
        assert!(names(&beyond).is_empty());
    }

    #[test]
    fn a_job_that_waits_for_slots_has_as_many_tasks_as_it_is_to_have() {
        let mut waiting = job("a", JobState::Waiting, "");
        waiting.wanted_tasks = 9;
        let shown = row(&waiting);
        assert_eq!((shown.running, shown.tasks), (0, 9));
    }

    #[test]
    fn a_reason_is_one_line_and_short() {
        let mut long = job("a", JobState::Waiting, "");
        long.why = vec![format!("{}\nmore", "ä".repeat(LONGEST_WHY))];
        let line = why(&long).unwrap();
        assert!(line.len() <= LONGEST_WHY + '…'.len_utf8() && line.ends_with('…'));
        assert_eq!(why(&job("a", JobState::Running, "")), None);
    }
}
