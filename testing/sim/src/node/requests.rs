//! Requests to the store, and what their answers mean.

use incumbent_core::Epoch;
use incumbent_core::election::{Event, SwapAnswer};
use incumbent_core::root::Root;
use incumbent_core::write::Answer;

use super::{Context, Effect, Mail, Node};
use crate::clock::Instant;
use crate::faults::{Mutation, nanos};
use crate::history::{Fact, Item, Op};
use crate::store::{self, Call, Reply, Stored};

#[derive(Debug)]
pub(super) enum Waiting {
    Root,
    Swap {
        sent: Instant,
    },
    /// The seals of one item after another, as a real driver reads them.
    Scan {
        left: Vec<Item>,
        highest: Epoch,
    },
    Job {
        job: u64,
        reads: bool,
    },
    /// A look at the floor, for a record that was opened vacant.
    Confirm {
        job: u64,
    },
    /// A read of a record by anybody.
    Read(Op),
    /// Nobody waits for it.
    Nothing,
    /// A leader looks whether a record was created.
    Look {
        record: u8,
    },
}

impl Node {
    pub(super) fn scan(&mut self, mut left: Vec<Item>, highest: Epoch, cx: &mut Context<'_>) {
        match left.pop() {
            Some(item) => self.ask(Waiting::Scan { left, highest }, item, Call::Read, cx),
            None => self.tell(Event::SealsScanned { highest }),
        }
    }

    /// Reads a record. Every process may.
    pub(crate) fn read_record(&mut self, op: Op, record: u8, cx: &mut Context<'_>) {
        self.ask(Waiting::Read(op), Item::Record(record), Call::Read, cx);
    }

    /// Looks whether a record was created.
    pub(crate) fn look_for(&mut self, record: u8, cx: &mut Context<'_>) {
        let waiting = Waiting::Look { record };
        self.ask(waiting, Item::Record(record), Call::Read, cx);
    }

    pub(super) fn ask(&mut self, waiting: Waiting, item: Item, call: Call, cx: &mut Context<'_>) {
        let request = cx.number();
        let write = match &call {
            Call::Swap { expected, body } => Some((expected.as_ref(), store::describe(body))),
            Call::Erase { expected, body } => {
                let body = store::describe(&Stored::Record((**body).clone()));
                Some((Some(expected), body))
            }
            Call::Read => None,
        };
        if let Some((expected, body)) = write {
            cx.fact(Fact::Asked {
                process: self.process,
                item,
                expected: expected.map(store::number),
                body,
            });
        }
        self.requests.insert(request, waiting);
        cx.effects.push(Effect::Send {
            request,
            item,
            call,
        });
        let patience = self
            .clock
            .truly(nanos(self.settings.timing.request_timeout()));
        cx.effects.push(Effect::Wake {
            at: cx.now + patience,
            mail: Mail::TimedOut { request },
        });
    }

    /// A request came to its end: with a reply, or with none, `sent` telling whether it may have
    /// arrived.
    pub(super) fn answered(
        &mut self,
        request: u64,
        reply: Option<Reply>,
        sent: bool,
        cx: &mut Context<'_>,
    ) {
        let Some(waiting) = self.requests.remove(&request) else {
            return; // It was given up before.
        };
        match waiting {
            Waiting::Root => self.root_read(reply, cx),
            Waiting::Swap { sent: at } => {
                let answer = swap_answer(reply, sent);
                let waited = cx.now - at;
                if cx.plan.mutation == Mutation::LeaseFromAnswer
                    && matches!(answer, SwapAnswer::Committed(_))
                {
                    self.guard_late = waited;
                }
                self.tell(Event::RootSwapped(answer));
            }
            Waiting::Scan { left, highest } => match reply {
                Some(Reply::Found(found)) => {
                    let seal =
                        found.map_or(Epoch::ZERO, |(_, body)| store::describe(&body).seal().epoch);
                    self.scan(left, highest.max(seal), cx);
                }
                _ => self.tell(Event::SealsUnread),
            },
            Waiting::Job { job, reads } => {
                let answer = job_answer(reads, reply, sent, cx.plan.mutation);
                self.job_answered(job, answer, cx);
            }
            Waiting::Confirm { job } => {
                let answer = match reply {
                    Some(Reply::Found(found)) => {
                        Answer::Floor(found.map(|(_, body)| store::describe(&body).seal()))
                    }
                    _ => Answer::Unread,
                };
                self.job_answered(job, answer, cx);
            }
            Waiting::Nothing => {}
            Waiting::Look { record } => {
                if let Some(Reply::Found(found)) = reply {
                    self.looked(record, found.is_some(), cx);
                }
            }
            Waiting::Read(op) => {
                if let Some(Reply::Found(found)) = reply {
                    self.record_read(op, found, cx);
                }
            }
        }
    }

    pub(super) fn root_read(&mut self, reply: Option<Reply>, cx: &mut Context<'_>) {
        let Some(Reply::Found(found)) = reply else {
            return self.tell(Event::RootUnread);
        };
        let root = found.map(|(version, body)| match body {
            Stored::Root(root) => (version, root),
            Stored::Record(_) => unreachable!("the root is no record"),
        });
        if cx.plan.mutation == Mutation::ForgetfulObserver {
            let leader = root
                .as_ref()
                .map(|(_, root)| (root.state.into(), root.epoch, root.nonce));
            self.show(leader, cx);
        }
        let root = root.map(|(version, root)| match cx.plan.mutation {
            Mutation::LowRootIsFree if root.epoch < self.election.highest_epoch() => {
                (version, Box::new(without_lease(&root)))
            }
            _ => (version, root),
        });
        self.tell(Event::RootRead { root });
    }
}

/// This root with a lease that has always run out.
fn without_lease(root: &Root) -> Root {
    let mut json: serde_json::Value =
        serde_json::from_slice(&root.to_bytes()).expect("a root is JSON");
    json["lease_ms"] = 0.into();
    serde_json::from_value(json).expect("it is still a root")
}

fn swap_answer(reply: Option<Reply>, sent: bool) -> SwapAnswer {
    match (reply, sent) {
        (Some(Reply::Swapped(answer)), _) => answer,
        (_, true) => SwapAnswer::Unknown,
        (_, false) => SwapAnswer::NotApplied,
    }
}

fn job_answer(reads: bool, reply: Option<Reply>, sent: bool, mutation: Mutation) -> Answer {
    match (reply, sent) {
        (Some(Reply::Swapped(SwapAnswer::Committed(version))), _) => Answer::Committed(version),
        (Some(Reply::Swapped(SwapAnswer::Conflict)), _) => Answer::Conflict,
        (Some(Reply::Found(found)), _) => Answer::Read(found.map(|(version, body)| match body {
            Stored::Record(body) => (version, body),
            Stored::Root(_) => unreachable!("a record is no root"),
        })),
        _ if reads => Answer::Unread,
        (_, true) if mutation != Mutation::UnknownIsNotApplied => Answer::Unknown,
        _ => Answer::NotApplied,
    }
}
