//! [`Questions`]: what was asked and not answered yet.
//!
//! A question is held while the record that it is about is not open, and a wish until it is written
//! down, but neither for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use incumbent_core::Time;

use super::{Answer, LeaderAction, Question, Ticket};
use crate::{Attempt, JobId};

/// Longest time that a question is held. Anyone who asks through a gateway has given up by then.
pub(super) const HELD_AT_MOST: Duration = Duration::from_secs(20);

/// How long before that a question counts as late.
const LATE_BEFORE: Duration = Duration::from_secs(3);

/// Most questions that are held; more are refused at once.
const MOST_HELD: usize = 10_000;

/// The questions that are held.
#[derive(Debug, Default)]
pub(super) struct Questions {
    held: BTreeMap<Ticket, Held>,
    by_job: BTreeMap<JobId, BTreeSet<Ticket>>,
    about_all: BTreeSet<Ticket>,
    deadlines: BTreeSet<(Time, Ticket)>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) question: Question,
    /// The attempt that the job had when it was asked.
    pub(super) asked_at: Option<Attempt>,
    deadline: Time,
}

impl Held {
    /// Whether it must be answered now, if with something better than that nothing is known.
    pub(super) fn is_late(&self, now: Time) -> bool {
        now + LATE_BEFORE >= self.deadline
    }
}

impl Questions {
    /// Holds a question, if there is room.
    pub(super) fn hold(
        &mut self,
        ticket: Ticket,
        question: Question,
        now: Time,
        out: &mut Vec<LeaderAction>,
    ) {
        if self.held.len() >= MOST_HELD {
            let why = format!("{MOST_HELD} questions wait already; ask again later");
            return out.push(LeaderAction::Answer {
                ticket,
                answer: Answer::Conflict(why),
            });
        }
        let deadline = now + HELD_AT_MOST;
        match about(&question) {
            Some(job) => {
                self.by_job.entry(job).or_default().insert(ticket);
            }
            None => {
                self.about_all.insert(ticket);
            }
        }
        self.deadlines.insert((deadline, ticket));
        self.held.insert(
            ticket,
            Held {
                question,
                asked_at: None,
                deadline,
            },
        );
    }

    /// What is asked about this job.
    pub(super) fn of_job(&self, job: JobId) -> Vec<(Ticket, Held)> {
        self.by_job
            .get(&job)
            .into_iter()
            .flatten()
            .map(|ticket| (*ticket, self.held[ticket].clone()))
            .collect()
    }

    /// What is asked about all jobs.
    pub(super) fn of_all(&self) -> Vec<(Ticket, Question)> {
        self.about_all
            .iter()
            .map(|ticket| (*ticket, self.held[ticket].question.clone()))
            .collect()
    }

    /// Whether anything is asked about more than one job.
    pub(super) fn has_about_all(&self) -> bool {
        !self.about_all.is_empty()
    }

    /// The attempt that the job had when this was first looked at.
    pub(super) fn asked_at(&mut self, ticket: Ticket, attempt: Attempt) -> Attempt {
        match self.held.get_mut(&ticket) {
            Some(held) => *held.asked_at.get_or_insert(attempt),
            None => attempt,
        }
    }

    /// Answers one that is held.
    pub(super) fn answer(&mut self, ticket: Ticket, answer: Answer, out: &mut Vec<LeaderAction>) {
        let Some(held) = self.held.remove(&ticket) else {
            return;
        };
        self.deadlines.remove(&(held.deadline, ticket));
        self.about_all.remove(&ticket);
        if let Some(job) = about(&held.question)
            && let Some(tickets) = self.by_job.get_mut(&job)
        {
            tickets.remove(&ticket);
            if tickets.is_empty() {
                self.by_job.remove(&job);
            }
        }
        out.push(LeaderAction::Answer { ticket, answer });
    }

    /// Answers those that were held for too long, and says when the next one is.
    pub(super) fn give_up(&mut self, now: Time, out: &mut Vec<LeaderAction>) -> Option<Time> {
        while let Some((deadline, ticket)) = self.deadlines.first().copied() {
            if deadline > now {
                return Some(deadline);
            }
            let is_about_node = self
                .held
                .get(&ticket)
                .is_some_and(|held| matches!(held.question, Question::Drain(_)));
            let why = if is_about_node {
                "the TaskManager has not said in time that it drains; `incumbent node ls` shows \
                 whether it does"
            } else {
                "the store has not answered in time; ask again to see what became of it"
            };
            self.answer(ticket, Answer::Unknown(why.to_owned()), out);
            self.deadlines.remove(&(deadline, ticket));
        }
        None
    }
}

/// The job that a question is about, if it is about one by its id.
fn about(question: &Question) -> Option<JobId> {
    match question {
        Question::Job(job)
        | Question::Cancel(job)
        | Question::Restart(job)
        | Question::Resume(job)
        | Question::Suspend { job, .. }
        | Question::Rescale { job, .. }
        | Question::Savepoint { job, .. }
        | Question::Remove(job) => Some(*job),
        Question::Jobs
        | Question::JobNamed(_)
        | Question::Cluster
        | Question::Savepoints
        | Question::RemoveSavepoint(_)
        | Question::Drain(_)
        | Question::Forget(_) => None,
    }
}
