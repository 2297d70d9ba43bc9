//! [`Job`]: a write of a record that is under way.

use incumbent_core::Seal;
use incumbent_core::election::{Event, FloorAnswer};
use incumbent_core::record::RecordBody;
use incumbent_core::write::{Answer, Refused, Step, Write};

use super::requests::Waiting;
use super::{Context, Effect, Mail, Node};
use crate::faults::{Mutation, nanos};
use crate::history::{Item, Op};
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
            Step::ReadFloor if cx.plan.mutation == Mutation::VacantUnconfirmed => {
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
                }
            }
            Step::Found { .. } => unreachable!("nobody creates"),
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
                }
            }
        }
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
        if job.tries > MOST_TRIES || cx.dice.chance(150) {
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
        }
    }
}
