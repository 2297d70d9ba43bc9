//! [`Gangs`]: what the log says of tasks. One line when the tasks of an attempt run here, and one
//! when all of them have ended, however many there are.

use std::collections::HashMap;

use incumbent_cluster_core::message::EndedHow;
use incumbent_cluster_core::{Attempt, Incarnation, JobId, Rank, TaskId};

/// The tasks of this TaskManager that have not ended, by attempt.
#[derive(Debug, Default)]
pub(super) struct Gangs {
    attempts: HashMap<(JobId, Incarnation, Attempt), Here>,
}

/// The tasks of one attempt here.
#[derive(Debug, Default)]
struct Here {
    ordered: usize,
    started: usize,
    ended: usize,
    is_told: bool,
    /// The first one that ended by itself, and not well.
    failed: Option<(Rank, String)>,
}

/// What is worth a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// All that were ordered run.
    Run {
        /// How many.
        tasks: usize,
    },
    /// All have ended, and none failed by itself.
    Ended {
        /// How many.
        tasks: usize,
    },
    /// All have ended, and this one was the first to fail.
    Failed {
        /// How many.
        tasks: usize,
        /// Which.
        rank: Rank,
        /// How, in words.
        how: String,
    },
}

impl Gangs {
    /// A task was ordered.
    pub(super) fn ordered(&mut self, task: TaskId) {
        self.attempts.entry(key(task)).or_default().ordered += 1;
    }

    /// Its process runs.
    pub(super) fn started(&mut self, task: TaskId) -> Option<News> {
        let here = self.attempts.get_mut(&key(task))?;
        here.started += 1;
        // Once: orders that come later belong to the same attempt.
        let is_news = here.started == here.ordered && here.ended == 0 && !here.is_told;
        here.is_told |= is_news;
        is_news.then_some(News::Run {
            tasks: here.started,
        })
    }

    /// It has ended.
    pub(super) fn ended(&mut self, task: TaskId, how: &EndedHow) -> Option<News> {
        let here = self.attempts.get_mut(&key(task))?;
        here.ended += 1;
        if here.failed.is_none() {
            here.failed = failure(how).map(|how| (task.rank, how));
        }
        if here.ended < here.ordered {
            return None;
        }
        let here = self.attempts.remove(&key(task))?;
        let tasks = here.ended;
        Some(match here.failed {
            Some((rank, how)) => News::Failed { tasks, rank, how },
            None => News::Ended { tasks },
        })
    }
}

impl News {
    /// Writes the line.
    pub(super) fn tell(&self, task: TaskId, name: &str) {
        let (job, attempt) = (task.job, task.attempt.0);
        match self {
            Self::Run { tasks } => {
                tracing::info!(%job, attempt, tasks, "tasks of job {name:?} run here");
            }
            Self::Ended { tasks } => {
                tracing::info!(%job, attempt, tasks, "all tasks of job {name:?} here have ended");
            }
            Self::Failed { tasks, rank, how } => tracing::info!(
                %job,
                attempt,
                rank = rank.0,
                tasks,
                how,
                "a task of job {name:?} has failed, and all that were here have ended"
            ),
        }
    }
}

fn key(task: TaskId) -> (JobId, Incarnation, Attempt) {
    (task.job, task.incarnation, task.attempt)
}

/// In words, if it was not wanted.
fn failure(how: &EndedHow) -> Option<String> {
    match how {
        EndedHow::Exited { code: 0 } | EndedHow::Ordered | EndedHow::Unknown => None,
        EndedHow::Exited { code } => Some(format!("it exited with {code}")),
        EndedHow::Signaled { signal } => Some(format!("signal {signal} ended it")),
        EndedHow::Isolated => Some("no leader was heard of for its isolation timeout".to_owned()),
        EndedHow::NotRestored { why } => {
            Some(format!("it could not start from its checkpoint: {why}"))
        }
        EndedHow::NotStarted { why } => Some(format!("it could not be started: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(rank: u32) -> TaskId {
        TaskId {
            job: JobId::new(1),
            incarnation: Incarnation::new(1),
            attempt: Attempt(1),
            rank: Rank(rank),
        }
    }

    #[test]
    fn a_gang_of_many_is_two_lines() {
        let mut gangs = Gangs::default();
        (0..300).for_each(|rank| gangs.ordered(task(rank)));
        let begun: Vec<News> = (0..300)
            .filter_map(|rank| gangs.started(task(rank)))
            .collect();
        assert_eq!(begun, [News::Run { tasks: 300 }]);
        let first = EndedHow::Exited { code: 3 };
        assert_eq!(gangs.ended(task(7), &first), None);
        let others = (0..300).filter(|&rank| rank != 7);
        let ended: Vec<News> = others
            .filter_map(|rank| gangs.ended(task(rank), &EndedHow::Ordered))
            .collect();
        let failed = News::Failed {
            tasks: 300,
            rank: Rank(7),
            how: "it exited with 3".to_owned(),
        };
        assert_eq!(ended, [failed]);
        assert!(gangs.attempts.is_empty());
    }

    #[test]
    fn a_task_that_ends_well_is_no_failure() {
        let mut gangs = Gangs::default();
        gangs.ordered(task(0));
        assert!(gangs.started(task(0)).is_some());
        let ended = gangs.ended(task(0), &EndedHow::Exited { code: 0 });
        assert_eq!(ended, Some(News::Ended { tasks: 1 }));
    }
}
