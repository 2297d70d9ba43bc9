//! Questions and wishes: answered at once, or when what they are about is known and written down.

use std::time::Duration;

use incumbent_core::{Now, Time};

use super::job::intents::{Verdict, Wish, verdict};
use super::job::{Job, Write};
use super::jobs::Entry;
use super::nodes::Nodes;
use super::questions::HELD_AT_MOST;
use super::supply::{Growth, growth};
use super::timers::Timer;
use super::{Answer, Leader, LeaderAction, Question, Ticket, gangs, views};
use crate::message::Command;
use crate::view::{JobView, SavepointView};
use crate::{Desired, JobId, JobState, NodeNonce};

/// How long a new leader waits for the reports of ranks before it shows them as unknown.
const SHOWN_UNKNOWN_AFTER: Duration = Duration::from_secs(2);

/// How long TaskManagers may take to report to a new leader, before it refuses something because
/// there are too few slots.
const FIRST_REPORTS: Duration = Duration::from_secs(5);

/// Pause between two looks at questions that wait for reports.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Leader {
    pub(super) fn asked(
        &mut self,
        now: Now,
        ticket: Ticket,
        question: Question,
        out: &mut Vec<LeaderAction>,
    ) {
        if question == Question::Cluster {
            let view = views::cluster(
                self.seal,
                &self.nodes,
                &self.jobs,
                self.adoption.is_complete(),
                self.supply.as_ref(),
                now.time,
            );
            let answer = Answer::Cluster(Box::new(view));
            return out.push(LeaderAction::Answer { ticket, answer });
        }
        if let Question::Forget(node) = &question {
            let answer = self.forget_node(now, node, out);
            return out.push(LeaderAction::Answer { ticket, answer });
        }
        self.timers
            .ring_by(Timer::Questions, now.time + HELD_AT_MOST);
        let about = match &question {
            Question::Job(id) => Some(*id),
            Question::Cancel(id) | Question::Restart(id) | Question::Remove(id) => Some(*id),
            other => Wish::of(other).map(|(id, _)| id),
        };
        self.questions.hold(ticket, question, now.time, out);
        match about {
            Some(id) => {
                if self.jobs.get(id).is_none() {
                    // It may have been created a moment ago.
                    self.adoption.want(id, true);
                }
                self.touched.insert(id);
            }
            None => self.answer_about_all(now, out),
        }
    }

    /// What is wished of a job that is open is noted there; what is asked of one that is not open
    /// is noted when it is.
    pub(super) fn look_at_wishes(&mut self, now: Now, id: JobId, out: &mut Vec<LeaderAction>) {
        self.look_at_intents(now, id, out);
        let pinned_by = self.catalog.pinned_by(id);
        let Some(job) = self.jobs.open_mut(id) else {
            return;
        };
        let attempt = job.record.attempt;
        for (ticket, held) in self.questions.of_job(id) {
            match held.question {
                Question::Cancel(_) => job.wishes.cancel |= !job.record.state.is_terminal(),
                Question::Remove(_) => {
                    job.wishes.remove |= job.record.state.is_terminal() && pinned_by.is_none();
                }
                Question::Restart(_) if held.asked_at.is_none() => {
                    self.questions.asked_at(ticket, attempt);
                    match job.record.state {
                        // The next attempt publishes what this one has not.
                        JobState::Stopping if job.record.closing.is_some() => {
                            job.wishes.restart = Some(attempt);
                        }
                        JobState::Running => job.wishes.restart = Some(attempt),
                        // It is to restart anyway: at once.
                        JobState::Restarting => job.ready_at = now.time,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }

    /// What needs a checkpoint, a stop or slots: the first that can be written down is, and those
    /// that cannot be are refused.
    fn look_at_intents(&mut self, now: Now, id: JobId, out: &mut Vec<LeaderAction>) {
        let Some(job) = self.jobs.open_mut(id) else {
            return;
        };
        // What the record says is about to change, or is not known.
        if !matches!(job.write, Write::Idle | Write::Pausing(_)) {
            return;
        }
        job.wishes.change = None;
        for (ticket, held) in self.questions.of_job(id) {
            let Some((_, wish)) = Wish::of(&held.question) else {
                continue;
            };
            let taken = (wish.savepoint()).and_then(|savepoint| self.taken_by(savepoint, id));
            let Some(job) = self.jobs.open_mut(id) else {
                return;
            };
            let given_up = match wish {
                Wish::Savepoint { id } => job.checkpoints.why_given_up(id),
                Wish::Stop { .. } | Wish::Resume | Wish::Rescale { .. } => None,
            };
            let taken = taken.or_else(|| {
                given_up.map(|why| format!("that savepoint was given up, as {why}; draw a new id"))
            });
            let why = match verdict(&job.record, wish) {
                Verdict::Done => continue,
                Verdict::Write if job.wishes.change.is_some() => continue,
                Verdict::Write => match taken {
                    Some(why) => why,
                    None => match too_few_slots(job, &mut self.nodes, wish, now.time) {
                        // The slots of those that have not reported yet are not known.
                        Some(_) if now.time.since(self.granted_at) < FIRST_REPORTS => {
                            let again = now.time + LOOK_EVERY;
                            self.timers.ring_by(Timer::Job(id), again);
                            continue;
                        }
                        Some(why) => match growth(self.supply.as_ref(), job, wish) {
                            Growth::Never => why,
                            Growth::Meanwhile => {
                                job.wishes.change = Some(wish);
                                continue;
                            }
                            Growth::First => {
                                if let Wish::Rescale { tasks } = wish {
                                    self.want_to_grow(id, tasks, now.time);
                                }
                                if !held.is_late(now.time) {
                                    let again = now.time + LOOK_EVERY;
                                    self.timers.ring_by(Timer::Job(id), again);
                                    continue;
                                }
                                format!("{why}; they are being made: ask again in a while")
                            }
                        },
                        None => {
                            job.wishes.change = Some(wish);
                            continue;
                        }
                    },
                },
                Verdict::Refuse(why) => why,
            };
            self.questions.answer(ticket, Answer::Conflict(why), out);
        }
    }

    /// Answers what is asked about this job, as far as it can be answered now.
    pub(super) fn answer_about(&mut self, id: JobId, now: Now, out: &mut Vec<LeaderAction>) {
        let asked = self.questions.of_job(id);
        if asked.is_empty() {
            return;
        }
        match self.jobs.get(id) {
            None => return,
            Some(Entry::Damaged(why)) => {
                let answer = Answer::Damaged(damaged_text(id, why));
                for (ticket, _) in asked {
                    self.questions.answer(ticket, answer.clone(), out);
                }
                return;
            }
            Some(Entry::Open(_)) => {}
        }
        for (ticket, held) in asked {
            if let Some(answer) = self.answer_to(id, &held, now) {
                self.questions.answer(ticket, answer, out);
            }
        }
    }

    fn answer_to(&mut self, id: JobId, held: &super::questions::Held, now: Now) -> Option<Answer> {
        let job = self.jobs.open(id)?;
        // What the record says is not known.
        let is_known = !matches!(job.write, Write::Reopening | Write::Erasing);
        let state = job.record.state;
        match held.question {
            Question::Job(_) => {
                let waits =
                    job.is_unreported() && now.time.since(self.granted_at) < SHOWN_UNKNOWN_AFTER;
                if waits {
                    self.timers
                        .ring_by(Timer::Job(id), self.granted_at + SHOWN_UNKNOWN_AFTER);
                    return None;
                }
                Some(Answer::Job(Box::new(self.full_view(id, now)?)))
            }
            Question::Cancel(_) if !is_known => None,
            Question::Cancel(_) if job.record.desired == Desired::Canceled => {
                Some(Answer::Job(Box::new(self.full_view(id, now)?)))
            }
            Question::Cancel(_) if state.is_terminal() => Some(Answer::Conflict(format!(
                "job {id} has ended already: it is {}",
                views::state_text(state)
            ))),
            Question::Restart(_) if !is_known => None,
            Question::Restart(_) => match state {
                JobState::Stopping if job.record.closing.is_none() => {
                    Some(Answer::Conflict(format!(
                        "job {id} is being {}",
                        match job.record.desired {
                            Desired::Canceled => "canceled",
                            Desired::Suspended | Desired::Running => "stopped",
                        }
                    )))
                }
                JobState::Running | JobState::Restarting | JobState::Stopping => {
                    let asked_at = held.asked_at?;
                    let is_done = job.record.attempt > asked_at || state == JobState::Restarting;
                    is_done.then(|| Some(Answer::Job(Box::new(self.full_view(id, now)?))))?
                }
                JobState::Waiting => Some(Answer::Conflict(format!(
                    "job {id} has no attempt yet that could be ended: it waits for slots"
                ))),
                JobState::Suspended => Some(Answer::Conflict(format!(
                    "job {id} is suspended: resume it instead"
                ))),
                JobState::Finished | JobState::Failed | JobState::Canceled => {
                    Some(Answer::Conflict(format!(
                        "job {id} has ended: it is {}; run it again as a new job",
                        views::state_text(state)
                    )))
                }
            },
            // A reader of the store may know already that it has ended, and ask before this leader
            // knows.
            Question::Remove(_) if !is_known || job.is_about_to_end() => None,
            Question::Remove(_) if !state.is_terminal() => Some(Answer::Conflict(format!(
                "job {id} has not ended: it is {}; cancel it first",
                views::state_text(state)
            ))),
            Question::Remove(_) => {
                let by = self.catalog.pinned_by(id)?;
                Some(Answer::Conflict(format!(
                    "job {by} starts from a checkpoint of job {id} and has none of its own yet"
                )))
            }
            ref other => {
                let (_, wish) = Wish::of(other)?;
                let is_settled = matches!(job.write, Write::Idle | Write::Pausing(_));
                let is_so = is_settled && verdict(&job.record, wish) == Verdict::Done;
                is_so.then(|| Some(Answer::Job(Box::new(self.full_view(id, now)?))))?
            }
        }
    }

    /// There is no record of this job, or not any more.
    pub(super) fn answer_absent(
        &mut self,
        id: JobId,
        was_known: bool,
        out: &mut Vec<LeaderAction>,
    ) {
        for (ticket, held) in self.questions.of_job(id) {
            let answer = match held.question {
                Question::Remove(_) if was_known => Answer::Done,
                _ => Answer::NotFound(format!("there is no job {id}")),
            };
            self.questions.answer(ticket, answer, out);
        }
    }

    /// Answers what is asked about more than one job, as far as it can be answered now.
    pub(super) fn answer_about_all(&mut self, now: Now, out: &mut Vec<LeaderAction>) {
        let mut waits = false;
        for (ticket, question) in self.questions.of_all() {
            let answer = match &question {
                Question::Drain(node) => self.drain_node(now, node, out),
                _ if !self.adoption.is_complete() => None,
                Question::RemoveSavepoint(savepoint) => self.remove_savepoint(*savepoint, now, out),
                _ if self.waits_for_reports(now) => {
                    waits = true;
                    None
                }
                Question::Jobs => Some(self.all_jobs(now)),
                Question::JobNamed(name) => Some(self.job_named(name, now)),
                Question::Savepoints => Some(self.all_savepoints()),
                _ => None,
            };
            if let Some(answer) = answer {
                self.questions.answer(ticket, answer, out);
            }
        }
        if waits {
            self.timers.ring_by(Timer::Questions, now.time + LOOK_EVERY);
        }
    }

    /// Whether ranks that an earlier leader placed are about to be reported.
    fn waits_for_reports(&self, now: Now) -> bool {
        self.stories.awaits_reports() && now.time.since(self.granted_at) < SHOWN_UNKNOWN_AFTER
    }

    fn all_jobs(&self, now: Now) -> Answer {
        let view = |job| views::job(job, &self.nodes, self.seal, now.time);
        Answer::Jobs(self.jobs.iter().map(view).collect())
    }

    fn job_named(&self, name: &str, now: Now) -> Answer {
        let is_it = |id: &JobId| {
            self.jobs
                .open(*id)
                .is_some_and(|job| job.record.spec.name == name)
        };
        let found = (self.names.get(name)).or_else(|| self.terminal.newest_first().find(is_it));
        match found.and_then(|id| self.full_view(id, now)) {
            Some(view) => Answer::Job(Box::new(view)),
            None => Answer::NotFound(format!("there is no job named {name:?}")),
        }
    }

    /// The view of one job, with everything.
    fn full_view(&self, id: JobId, now: Now) -> Option<JobView> {
        let job = self.jobs.open(id)?;
        let mut view = views::job(job, &self.nodes, self.seal, now.time);
        view.checkpoints = views::checkpoints(job, &self.config, now.time);
        view.savepoints = SavepointView::all_of(&job.record);
        view.attempts.clone_from(&job.record.ended);
        view.spec = Some(job.record.spec.clone());
        view.why = super::why::lines(
            job,
            &self.nodes,
            &self.gangs,
            &self.config,
            self.adoption.is_complete(),
            self.supply.as_ref(),
            now,
        );
        Some(view)
    }

    /// The TaskManager of this name or nonce.
    fn find_node(&self, wanted: &str) -> Result<NodeNonce, Answer> {
        if let Ok(nonce) = wanted.parse::<NodeNonce>()
            && self.nodes.get(nonce).is_some()
        {
            return Ok(nonce);
        }
        let named: Vec<_> = (self.nodes.iter())
            .filter(|(_, node)| node.place.name == wanted)
            .collect();
        let living: Vec<_> = named.iter().filter(|(_, node)| !node.is_dead).collect();
        match (living.as_slice(), named.as_slice()) {
            ([(nonce, _)], _) | ([], [(nonce, _)]) => Ok(*nonce),
            ([], []) => Err(Answer::NotFound(format!(
                "there is no TaskManager {wanted:?}; `incumbent node ls` shows all"
            ))),
            _ => Err(Answer::Conflict(format!(
                "{} TaskManagers are named {wanted:?}; say which by its nonce: {}",
                named.len(),
                (named.iter().map(|(nonce, _)| nonce.to_string()))
                    .collect::<Vec<_>>()
                    .join(", ")
            ))),
        }
    }

    /// Drains a TaskManager. Answered when it says that it is draining, so that the next leader
    /// hears so as well.
    fn drain_node(&mut self, now: Now, node: &str, out: &mut Vec<LeaderAction>) -> Option<Answer> {
        let nonce = match self.find_node(node) {
            Ok(nonce) => nonce,
            Err(answer) => return Some(answer),
        };
        let takes_orders = self.nodes.takes_orders(nonce, now.time);
        let node = self.nodes.get_mut(nonce)?;
        if node.is_dead {
            return Some(Answer::Conflict(format!(
                "TaskManager {} is gone: nothing is left to drain",
                node.place.name
            )));
        }
        if node.is_draining {
            return Some(Answer::Done);
        }
        if takes_orders && !node.is_drain_ordered {
            node.is_drain_ordered = true;
            self.nodes.order(nonce, Command::Drain, out);
        }
        None
    }

    /// A person says that a TaskManager, and all that it ran, is gone for good (R8).
    fn forget_node(&mut self, now: Now, node: &str, out: &mut Vec<LeaderAction>) -> Answer {
        let nonce = match self.find_node(node) {
            Ok(nonce) => nonce,
            Err(answer) => return answer,
        };
        let is_silent = self.nodes.is_silent(nonce, now.time);
        let Some(node) = self.nodes.get(nonce) else {
            return Answer::Done;
        };
        // Silence counts from the grant: a leader that has just begun knows nothing of anybody yet.
        if !node.is_dead && !is_silent {
            let since = now.time.since(self.nodes.silent_since(nonce)).as_secs_f64();
            let name = &node.place.name;
            return Answer::Conflict(match node.heard_at {
                Some(_) => format!(
                    "TaskManager {name} lives: it reported {since:.1} s ago; drain it instead"
                ),
                None => format!(
                    "this leader has led for {since:.1} s and may hear of TaskManager {name} yet; \
                     ask again in {:.0} s",
                    self.config.silence.as_secs_f64().ceil()
                ),
            });
        }
        self.dead(now, nonce, "a person says that it is gone for good", out);
        Answer::Done
    }
}

/// Holds the slots that a job with running tasks needs to have another number of them, or says why
/// not. Nothing is stopped before (R5).
fn too_few_slots(job: &mut Job, nodes: &mut Nodes, wish: Wish, now: Time) -> Option<String> {
    let Wish::Rescale { tasks } = wish else {
        return None;
    };
    let needs_slots = match job.record.state {
        JobState::Running | JobState::Restarting => true,
        // It holds none.
        JobState::Waiting | JobState::Suspended => false,
        JobState::Stopping | JobState::Finished | JobState::Failed | JobState::Canceled => false,
    };
    if !needs_slots || gangs::hold_all(job, nodes, tasks, now) {
        return None;
    }
    let free: u32 = nodes.with_free().map(|(free, ..)| free).sum();
    Some(format!(
        "job {} cannot have {tasks} tasks now: it holds {} slots, and {free} more are free; start \
         TaskManagers, or ask for fewer",
        job.record.id,
        job.held.len()
    ))
}

fn damaged_text(id: JobId, why: &str) -> String {
    format!(
        "the record of job {id} is damaged: {why}. Its tasks are left alone and nothing is changed. \
         Put back a copy of jobs/{id}, or delete it with `incumbent records`; then this is looked at \
         again"
    )
}
