//! Writes of records that a JobManager has under way.

use incumbent_cluster_core::leader::{LeaderEvent, Opened, Unwritten};
use incumbent_cluster_core::{Isolation, JobRecord};
use incumbent_core::election::{Event, FloorAnswer};
use incumbent_core::record::RecordBody;
use incumbent_core::write::{Answer, Refused, Step, Write};
use incumbent_core::{Seal, Version};

use super::job_manager::{Goal, JobManager, JobManagerMail, Waiting, Writing};
use super::mode::ClusterMutation;
use super::outbox::Outbox;
use super::world::table_index;
use crate::faults::nanos;
use crate::history::Item;
use crate::store::{Call, Stored};

/// How often a write of a record is tried before its outcome stays unknown.
const MOST_TRIES: u32 = 6;

impl JobManager {
    pub(super) fn begin(
        &mut self,
        write: Write,
        step: Step,
        item: Item,
        goal: Goal,
        out: &mut Outbox<'_>,
    ) {
        let number = out.number();
        let tries = 0;
        self.writes.insert(
            number,
            Writing {
                write,
                item,
                goal,
                tries,
            },
        );
        self.go_on(number, step, out);
    }

    pub(super) fn go_on(&mut self, number: u64, step: Step, out: &mut Outbox<'_>) {
        let writing = self.writes.get(&number).expect("the caller has looked");
        let item = writing.item;
        let waiting = |reads| Waiting::Write {
            write: number,
            reads,
        };
        match step {
            Step::Read => self.ask(waiting(true), item, Call::Read, out),
            Step::Swap { expected, body } => {
                let body = Stored::Record((*body).clone());
                self.ask(waiting(false), item, Call::Swap { expected, body }, out);
            }
            Step::Erase { expected } => {
                let seal = self.term.as_ref().map_or(out.zero_seal(), |term| term.seal);
                let body = Box::new(RecordBody::new(seal, 0, None));
                self.ask(waiting(false), item, Call::Erase { expected, body }, out);
            }
            Step::ReadFloor => {
                self.ask(
                    Waiting::Confirm { write: number },
                    Item::Floor,
                    Call::Read,
                    out,
                );
            }
            Step::Gone { .. } => {
                if let Some(Writing {
                    goal: Goal::Erase(job),
                    ..
                }) = self.writes.remove(&number)
                {
                    self.lead(LeaderEvent::Erased(job), out);
                }
            }
            Step::Done { version, body } => self.done(number, version, &body, out),
            Step::Found { .. } => unreachable!("a leader creates nothing"),
            Step::Refused(refused) => self.refused(number, refused, out),
        }
    }

    fn done(&mut self, number: u64, version: Version, body: &RecordBody, out: &mut Outbox<'_>) {
        let writing = self.writes.remove(&number).expect("it is under way");
        match writing.goal {
            Goal::Floor { seal } => self.floor(seal, FloorAnswer::Sealed, out),
            Goal::Open(job) => {
                let record = table_index(body).map(|index| out.kept(index));
                if let Some(term) = &mut self.term {
                    term.handles.insert(job, (version, body.created));
                }
                let found = match record {
                    Some(record) => Opened::Record(Box::new(self.seen_by_leader(&record, out))),
                    None => Opened::Absent,
                };
                self.lead(LeaderEvent::Opened { job, found }, out);
            }
            Goal::Commit { job, is_told } => {
                if let Some(term) = &mut self.term {
                    term.handles.insert(job, (version, body.created));
                }
                if !is_told {
                    self.lead(LeaderEvent::Committed(job), out);
                }
            }
            Goal::Erase(_) => unreachable!("an erasure leaves no body"),
        }
    }

    /// The record as the leader gets it: in haste, with a timeout that is far too short.
    fn seen_by_leader(&self, record: &JobRecord, out: &Outbox<'_>) -> JobRecord {
        let mut record = record.clone();
        if out.plan.mutation == ClusterMutation::AdoptInHaste
            && record.spec.isolation.is_exclusive()
        {
            record.spec.isolation = Isolation::Exclusive {
                timeout_ms: Some(300),
            };
        }
        record
    }

    fn refused(&mut self, number: u64, refused: Refused, out: &mut Outbox<'_>) {
        let writing = self.writes.remove(&number).expect("it is under way");
        let fenced = match refused {
            Refused::Fenced { current } => Some(current),
            Refused::Unsettled { fenced_by } => fenced_by,
            Refused::Conflict | Refused::NotApplied | Refused::NoFloor => None,
        };
        match writing.goal {
            Goal::Floor { seal } => {
                let answer = match refused {
                    Refused::Fenced { current } => FloorAnswer::Fenced(current),
                    _ => FloorAnswer::Failed,
                };
                self.floor(seal, answer, out);
            }
            _ if fenced.is_some() => {
                let epoch = fenced.expect("just looked");
                self.elect(Event::SealSeen { epoch }, out);
            }
            Goal::Open(job) => {
                let found = Opened::Unavailable;
                self.lead(LeaderEvent::Opened { job, found }, out);
            }
            Goal::Commit { is_told: true, .. } => {}
            Goal::Commit { job, .. } | Goal::Erase(job) => {
                let why = match refused {
                    Refused::NotApplied => Unwritten::NotApplied,
                    _ if out.plan.mutation == ClusterMutation::UnknownIsNotApplied => {
                        Unwritten::NotApplied
                    }
                    _ => Unwritten::Unknown,
                };
                self.lead(LeaderEvent::NotCommitted { job, why }, out);
            }
        }
    }

    fn floor(&mut self, seal: Seal, answer: FloorAnswer, out: &mut Outbox<'_>) {
        self.elect(Event::Floor { seal, answer }, out);
    }

    pub(super) fn write_answered(&mut self, number: u64, answer: Answer, out: &mut Outbox<'_>) {
        let Some(writing) = self.writes.get_mut(&number) else {
            return; // The term has ended meanwhile.
        };
        let answer = match (&writing.goal, answer) {
            (Goal::Erase(_), Answer::Committed(_)) => Answer::Erased,
            (_, answer) => answer,
        };
        let fails = matches!(
            answer,
            Answer::Unread | Answer::NotApplied | Answer::Unknown
        );
        let unknown = matches!(answer, Answer::Unknown);
        let step = writing.write.step(answer);
        if !fails || matches!(step, Step::Refused(_)) {
            return self.go_on(number, step, out);
        }
        writing.tries += 1;
        if writing.tries > MOST_TRIES || out.dice.chance(150) {
            let refused = if unknown || writing.write.is_unsettled() {
                Refused::Unsettled { fenced_by: None }
            } else {
                Refused::NotApplied
            };
            return self.refused(number, refused, out);
        }
        let at = out.now + out.dice.range(0, nanos(out.plan.timing.retry()) / 4);
        let mail = JobManagerMail::Again {
            write: number,
            step,
        };
        out.wake_job_manager(self.host, self.process, at, mail);
    }
}
