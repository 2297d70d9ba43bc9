//! [`Job`]: a write of a record that is under way.

use incumbent_core::election::{Event, FloorAnswer};
use incumbent_core::record::RecordBody;
use incumbent_core::write::{Answer, Refused, Step, Write};
use incumbent_core::{Seal, Version};
use serde_json::value::RawValue;

use super::requests::Waiting;
use super::{Context, Effect, Mail, Node};
use crate::faults::{Mutation, nanos};
use crate::history::{Item, Op, Outcome, creation};
use crate::store::{Call, Stored};
use crate::workload::HandleId;

/// How often a write of a record is tried before the workload gives it up.
const MOST_TRIES: u32 = 6;

/// A write of a record that is under way.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) write: Write,
    pub(crate) item: Item,
    pub(crate) goal: Goal,
    tries: u32,
}

/// What a write is for.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    Floor {
        seal: Seal,
    },
    Open {
        op: Op,
        id: HandleId,
        seal: Seal,
    },
    Commit {
        op: Op,
        id: HandleId,
    },
    /// With the body that a tombstone would have.
    Erase {
        op: Op,
        id: HandleId,
        body: Box<RecordBody>,
    },
    Create {
        op: Op,
        /// It is not sent again after a lost answer: the record may have been erased meanwhile.
        once: bool,
    },
}

impl Node {
    /// Begins a write of a record.
    pub(crate) fn begin(
        &mut self,
        write: Write,
        step: Step,
        item: Item,
        goal: Goal,
        cx: &mut Context<'_>,
    ) -> u64 {
        let number = cx.number();
        let tries = 0;
        let job = Job {
            write,
            item,
            goal,
            tries,
        };
        self.jobs.insert(number, job);
        self.go_on(number, step, cx);
        number
    }

    pub(super) fn go_on(&mut self, number: u64, step: Step, cx: &mut Context<'_>) {
        let job = self.jobs.get(&number).expect("the caller has looked");
        let item = job.item;
        match step {
            Step::Read => {
                let waiting = Waiting::Job {
                    job: number,
                    reads: true,
                };
                self.ask(waiting, item, Call::Read, cx);
            }
            Step::Swap { expected, body } => {
                let body = Stored::Record((*body).clone());
                let call = Call::Swap { expected, body };
                let waiting = Waiting::Job {
                    job: number,
                    reads: false,
                };
                self.ask(waiting, item, call, cx);
            }
            Step::Erase { expected } => {
                let Goal::Erase { body, .. } = &job.goal else {
                    unreachable!("only an erasure erases");
                };
                let body = body.clone();
                let call = Call::Erase { expected, body };
                let waiting = Waiting::Job {
                    job: number,
                    reads: false,
                };
                self.ask(waiting, item, call, cx);
            }
            Step::ReadFloor if self.believes_without_floor(number, cx.plan.mutation) => {
                let job = self.jobs.get(&number).expect("the caller has looked");
                let Goal::Open { seal, .. } = job.goal else {
                    unreachable!("only who opens looks at the floor");
                };
                self.job_answered(number, Answer::Floor(Some(seal)), cx);
            }
            Step::ReadFloor => {
                let waiting = Waiting::Confirm { job: number };
                self.ask(waiting, Item::Floor, Call::Read, cx);
            }
            Step::Gone { ours } => {
                let job = self.jobs.remove(&number).expect("it is there");
                let Goal::Erase { op, id, .. } = job.goal else {
                    unreachable!("only an erasure ends so");
                };
                self.erased(op, id, ours, cx);
            }
            Step::Done { version, body } => {
                let job = self.jobs.remove(&number).expect("it is there");
                match job.goal {
                    Goal::Floor { seal } => self.floor(seal, FloorAnswer::Sealed),
                    Goal::Open { op, id, .. } => self.opened(op, id, version, &body, cx),
                    Goal::Commit { op, id } => self.committed(op, id, version, &body, cx),
                    Goal::Erase { .. } => unreachable!("an erasure leaves no body"),
                    Goal::Create { op, .. } => self.created(op, Outcome::Committed, cx),
                }
            }
            Step::Found { version, body } if cx.plan.mutation == Mutation::TombstoneReplaced => {
                self.replace_tombstone(number, version, &body, cx);
            }
            Step::Found { .. } => {
                let job = self.jobs.remove(&number).expect("it is there");
                let Goal::Create { op, .. } = job.goal else {
                    unreachable!("only a creation finds what others made");
                };
                self.created(op, Outcome::Refused, cx);
            }
            Step::Refused(refused) => {
                let job = self.jobs.remove(&number).expect("it is there");
                match (&job.goal, refused) {
                    (Goal::Floor { seal }, Refused::Fenced { current }) => {
                        self.floor(*seal, FloorAnswer::Fenced(current));
                    }
                    (Goal::Floor { seal }, _) => self.floor(*seal, FloorAnswer::Failed),
                    (Goal::Open { .. } | Goal::Commit { .. } | Goal::Erase { .. }, _) => {
                        self.refused(&job, refused, cx);
                    }
                    (Goal::Create { .. }, _) => self.creation_given_up(&job, cx),
                }
            }
        }
    }

    /// Whether a rule is left out, so that this record counts as open before the floor was read.
    fn believes_without_floor(&self, number: u64, mutation: Mutation) -> bool {
        let Some(job) = self.jobs.get(&number) else {
            return false;
        };
        match mutation {
            Mutation::VacantUnconfirmed => true,
            Mutation::UnledUnconfirmed => job.write.sealed().is_some_and(|body| body.unled),
            _ => false,
        }
    }

    /// Puts the creation in the place of a tombstone that it found, as if that were nothing.
    fn replace_tombstone(
        &mut self,
        number: u64,
        version: Version,
        found: &RecordBody,
        cx: &mut Context<'_>,
    ) {
        let job = self.jobs.remove(&number).expect("it is there");
        let Goal::Create { op, .. } = job.goal else {
            unreachable!("only a creation finds what others made");
        };
        self.created(op, Outcome::Unknown, cx);
        if found.data.is_none() {
            let number = creation(self.process, op);
            let data = RawValue::from_string(format!("[{op},0]")).expect("it is JSON");
            let body = Stored::Record(RecordBody::creation(number, data));
            let expected = Some(version);
            self.ask(
                Waiting::Nothing,
                job.item,
                Call::Swap { expected, body },
                cx,
            );
        }
    }

    /// A creation that came to no end: it did not happen, or nobody knows.
    fn creation_given_up(&mut self, job: &Job, cx: &mut Context<'_>) {
        let Goal::Create { op, .. } = job.goal else {
            unreachable!("the caller has looked");
        };
        let outcome = if job.write.is_unsettled() {
            Outcome::Unknown
        } else {
            Outcome::Refused
        };
        self.created(op, outcome, cx);
    }

    /// Stops waiting for the floor, as the real driver does when it seals anew and when a term is
    /// over.
    pub(super) fn forget_floor(&mut self) {
        self.jobs
            .retain(|_, job| !matches!(job.goal, Goal::Floor { .. }));
    }

    pub(super) fn floor(&mut self, seal: Seal, answer: FloorAnswer) {
        self.tell(Event::Floor { seal, answer });
    }

    pub(super) fn job_answered(&mut self, number: u64, answer: Answer, cx: &mut Context<'_>) {
        let Some(job) = self.jobs.get_mut(&number) else {
            return; // The term ended meanwhile.
        };
        if cx.plan.mutation == Mutation::ReadWithoutSeal
            && let (Goal::Open { op, id, .. }, Answer::Read(Some((version, body)))) =
                (&job.goal, &answer)
        {
            let (op, id) = (*op, *id);
            let (version, body) = (version.clone(), body.clone());
            self.jobs.remove(&number);
            return self.opened(op, id, version, &body, cx);
        }
        let answer = match (&job.goal, answer) {
            (Goal::Erase { .. }, Answer::Committed(_)) => Answer::Erased,
            (_, answer) => answer,
        };
        let fails = matches!(
            answer,
            Answer::Unread | Answer::NotApplied | Answer::Unknown
        );
        let step = job.write.step(answer);
        if !fails || matches!(step, Step::Refused(_)) {
            return self.go_on(number, step, cx);
        }
        job.tries += 1;
        let once = matches!(job.goal, Goal::Create { once: true, .. });
        if once || job.tries > MOST_TRIES || cx.dice.chance(150) {
            let job = self.jobs.remove(&number).expect("it is there");
            return self.given_up(&job, cx);
        }
        let pause = nanos(self.settings.timing.retry()) / 4;
        let at = cx.now + cx.dice.range(0, pause);
        let mail = Mail::Resume { job: number, step };
        cx.effects.push(Effect::Wake { at, mail });
    }

    pub(crate) fn given_up(&mut self, job: &Job, cx: &mut Context<'_>) {
        match job.goal {
            Goal::Floor { seal } => self.floor(seal, FloorAnswer::Failed),
            Goal::Open { .. } | Goal::Commit { .. } | Goal::Erase { .. } => {
                self.refused(job, Refused::NotApplied, cx);
            }
            Goal::Create { .. } => self.creation_given_up(job, cx),
        }
    }
}
