//! The application on a node: a leader opens records and commits, every process reads, and some
//! give up now and then.
//!
//! The workload never asks whether it may still act: no write is unsafe because a guard has ended.

use std::collections::BTreeMap;

use incumbent_core::election::{Change, Event};
use incumbent_core::record::RecordBody;
use incumbent_core::write::{Refused, Write};
use incumbent_core::{EndpointName, Epoch, HolderName, Nonce, Seal, Version};
use serde_json::value::RawValue;

use crate::faults::Mutation;
use crate::history::{Deed, Fact, Item, Op, Outcome, Phase, RootChange, Value, creation};
use crate::node::{Context, Goal, Job, Node, holder};
use crate::store::{self, Stored};

/// A handle on a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HandleId {
    record: u8,
    /// A leader may hold several; they compete.
    handle: u8,
}

/// The term of a leading application.
#[derive(Debug)]
pub(crate) struct Term {
    seal: Seal,
    activation: Activation,
    handles: BTreeMap<HandleId, Handle>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activation {
    Not,
    Asked { ticket: u64 },
    Active,
}

#[derive(Clone, Debug)]
enum Handle {
    Busy,
    Open {
        version: Version,
        value: Value,
        /// The number of its creation, if a process that did not lead created it.
        created: Option<Nonce>,
    },
}

impl Handle {
    fn of(version: Version, body: &RecordBody) -> Self {
        Self::Open {
            version,
            value: store::value(body),
            created: body.created,
        }
    }
}

impl Node {
    /// One thing after the other.
    pub(crate) fn work(&mut self, cx: &mut Context<'_>) {
        if !cx.works() && cx.plan.mutation != Mutation::RestlessLeader {
            return;
        }
        match self.term {
            Some(_) => self.lead(cx),
            None => self.wait(cx),
        }
    }

    /// The application leads.
    pub(crate) fn granted(&mut self, seal: Seal, cx: &mut Context<'_>) {
        self.term = Some(Term {
            seal,
            activation: Activation::Not,
            handles: BTreeMap::new(),
        });
        self.lead(cx);
    }

    /// The application leads no more. What was under way stays unknown.
    pub(crate) fn stop(&mut self, cx: &mut Context<'_>) {
        self.term = None;
        let outcome = Outcome::Unknown;
        self.jobs.retain(|_, job| match job.goal {
            Goal::Floor { .. } | Goal::Create { .. } => true,
            Goal::Open { op, .. } | Goal::Commit { op, .. } | Goal::Erase { op, .. } => {
                cx.fact(Fact::Ended { op, outcome });
                false
            }
        });
    }

    pub(crate) fn changed(&mut self, ticket: u64) {
        if let Some(term) = &mut self.term
            && term.activation == (Activation::Asked { ticket })
        {
            term.activation = Activation::Active;
        }
    }

    pub(crate) fn asked_to_resign(&mut self, to: Option<HolderName>, cx: &mut Context<'_>) {
        if self.term.is_some() && cx.dice.chance(700) {
            self.resign(to, cx);
        }
    }

    pub(crate) fn opened(
        &mut self,
        op: Op,
        id: HandleId,
        version: Version,
        body: &RecordBody,
        cx: &mut Context<'_>,
    ) {
        let value = store::value(body);
        let outcome = Outcome::Saw(value);
        cx.fact(Fact::Ended { op, outcome });
        self.hold(id, Some(Handle::of(version, body)));
    }

    pub(crate) fn committed(
        &mut self,
        op: Op,
        id: HandleId,
        version: Version,
        body: &RecordBody,
        cx: &mut Context<'_>,
    ) {
        let outcome = Outcome::Committed;
        cx.fact(Fact::Ended { op, outcome });
        self.hold(id, Some(Handle::of(version, body)));
    }

    /// The record is gone. Whether it was this erasure that did it may be unknown.
    pub(crate) fn erased(&mut self, op: Op, id: HandleId, ours: bool, cx: &mut Context<'_>) {
        let outcome = if ours {
            Outcome::Committed
        } else {
            Outcome::Unknown
        };
        cx.fact(Fact::Ended { op, outcome });
        self.hold(id, None);
    }

    /// A write was refused, or its outcome is unknown: the record must be opened again.
    pub(crate) fn refused(&mut self, job: &Job, refused: Refused, cx: &mut Context<'_>) {
        let (Goal::Open { op, id, .. } | Goal::Commit { op, id } | Goal::Erase { op, id, .. }) =
            job.goal
        else {
            return;
        };
        let settled = !job.write.is_unsettled() || cx.plan.mutation == Mutation::RefusalBelieved;
        let outcome = if settled {
            Outcome::Refused
        } else {
            Outcome::Unknown
        };
        cx.fact(Fact::Ended { op, outcome });
        self.hold(id, None);
        let (Refused::Fenced { current }
        | Refused::Unsettled {
            fenced_by: Some(current),
        }) = refused
        else {
            return;
        };
        self.tell(Event::SealSeen { epoch: current });
        self.resign(None, cx);
    }

    /// A read by anybody.
    pub(crate) fn record_read(
        &mut self,
        op: Op,
        found: Option<(Version, Stored)>,
        cx: &mut Context<'_>,
    ) {
        let value = match found {
            Some((_, Stored::Record(body))) => store::value(&body),
            Some((_, Stored::Root(_))) => unreachable!("a record is no root"),
            None => 0,
        };
        let outcome = Outcome::Saw(value);
        cx.fact(Fact::Ended { op, outcome });
    }

    fn wait(&mut self, cx: &mut Context<'_>) {
        let chaos = cx.phase == Phase::Chaos;
        if cx.dice.chance(200) {
            self.look_at_a_record(cx);
        }
        if cx.plan.creates() && chaos && cx.dice.chance(300) {
            self.create(cx);
        }
        if !self.settings.candidate || self.leaving {
            return;
        }
        let may = !self.has_lost || cx.plan.mutation != Mutation::CampaignsOnce;
        if !self.wanting && may && (!chaos || cx.dice.chance(300)) {
            self.wanting = true;
            self.tell(Event::Campaign);
        } else if self.wanting && chaos && cx.dice.chance(cx.plan.faults.abstain) {
            self.wanting = false;
            self.tell(Event::Abstain);
        }
    }

    fn lead(&mut self, cx: &mut Context<'_>) {
        if cx.phase != Phase::Chaos {
            for record in 0..cx.plan.records {
                let handle = 0;
                self.advance(HandleId { record, handle }, cx);
            }
            for record in cx.plan.records..cx.plan.records + cx.plan.created {
                self.advance_created(record, cx);
            }
            return self.activate(cx);
        }
        if cx.dice.chance(cx.plan.faults.resign) {
            let prefer = cx.dice.chance(300);
            let prefer = prefer.then(|| holder(cx.dice.index(cx.plan.nodes.len())));
            return self.resign(prefer, cx);
        }
        if cx.dice.chance(100) {
            self.look_at_a_record(cx);
        }
        if cx.dice.chance(50) {
            self.publish(cx);
        }
        if cx.plan.creates() && cx.dice.chance(100) {
            self.create(cx);
        }
        if cx.plan.creates() && cx.dice.chance(500) {
            let nth = u8::try_from(cx.dice.index(cx.plan.created.into())).expect("few");
            self.advance_created(cx.plan.records + nth, cx);
        }
        let record = u8::try_from(cx.dice.index(cx.plan.records.into())).expect("few");
        let handle = u8::try_from(cx.dice.index(cx.plan.handles.into())).expect("few");
        self.advance(HandleId { record, handle }, cx);
        if cx.dice.chance(500) {
            self.activate(cx);
        }
    }

    /// Goes on with a record that others create: looks first whether it is there.
    fn advance_created(&mut self, record: u8, cx: &mut Context<'_>) {
        let id = HandleId { record, handle: 0 };
        match &self.term {
            Some(term) if term.handles.contains_key(&id) => self.advance(id, cx),
            Some(_) => self.look_for(record, cx),
            None => {}
        }
    }

    /// A leader has looked whether a record was created. Now and then it opens one that was not.
    pub(crate) fn looked(&mut self, record: u8, found: bool, cx: &mut Context<'_>) {
        let id = HandleId { record, handle: 0 };
        let new = self
            .term
            .as_ref()
            .is_some_and(|term| !term.handles.contains_key(&id));
        if new && (found || (cx.phase == Phase::Chaos && cx.dice.chance(20))) {
            self.open(id, cx);
        }
    }

    /// Creates any record, without leading.
    fn create(&mut self, cx: &mut Context<'_>) {
        let all = cx.plan.records + cx.plan.created;
        let of = if cx.dice.chance(500) {
            cx.plan.records
        } else {
            all
        };
        let record = u8::try_from(cx.dice.index(of.into())).expect("few");
        let op = cx.number();
        let number = creation(self.process, op);
        let seal = Seal {
            epoch: Epoch::ZERO,
            nonce: number,
        };
        let process = self.process;
        let deed = Deed::Create { seal, value: op };
        cx.fact(Fact::Began {
            op,
            process,
            record,
            deed,
        });
        let data = RawValue::from_string(format!("[{op},0]")).expect("it is JSON");
        let (write, step) = Write::create(number, data);
        let once = record < cx.plan.records;
        let goal = Goal::Create { op, once };
        self.begin(write, step, Item::Record(record), goal, cx);
    }

    pub(crate) fn created(&mut self, op: Op, outcome: Outcome, cx: &mut Context<'_>) {
        cx.fact(Fact::Ended { op, outcome });
    }

    fn advance(&mut self, id: HandleId, cx: &mut Context<'_>) {
        let Some(term) = &self.term else { return };
        let chaos = cx.phase == Phase::Chaos;
        match term.handles.get(&id).cloned() {
            // Time for others to create it.
            None if cx.plan.creates() && chaos && cx.dice.chance(500) => {}
            None => self.open(id, cx),
            Some(Handle::Busy) => {}
            Some(Handle::Open { .. }) if chaos && cx.dice.chance(100) => {
                self.open(id, cx);
            }
            Some(Handle::Open {
                version,
                value,
                created,
            }) => {
                let erased = if cx.plan.creates() { 400 } else { 80 };
                if chaos && id.record < cx.plan.records && cx.dice.chance(erased) {
                    return self.erase(id, version, value, cx);
                }
                let deletes = chaos && cx.dice.chance(60);
                self.commit(id, (version, created), value, deletes, cx);
            }
        }
    }

    fn open(&mut self, id: HandleId, cx: &mut Context<'_>) {
        let Some(seal) = self.term.as_ref().map(|term| term.seal) else {
            return;
        };
        let op = self.began(id.record, Deed::Open { seal }, cx);
        let (write, step) = Write::open(seal, self.fresh_seq());
        self.hold(id, Some(Handle::Busy));
        let goal = Goal::Open { op, id, seal };
        self.begin(write, step, Item::Record(id.record), goal, cx);
    }

    fn commit(
        &mut self,
        id: HandleId,
        (version, created): (Version, Option<Nonce>),
        after: Value,
        deletes: bool,
        cx: &mut Context<'_>,
    ) {
        let Some(seal) = self.term.as_ref().map(|term| term.seal) else {
            return;
        };
        let seq = self.fresh_seq();
        let value = if deletes { 0 } else { cx.number() };
        let deed = Deed::Commit {
            seal,
            seq,
            after,
            value,
        };
        let op = self.began(id.record, deed, cx);
        let data = (!deletes).then(|| {
            let text = format!("[{value},{after}]");
            RawValue::from_string(text).expect("it is JSON")
        });
        let created = created.filter(|_| cx.plan.mutation != Mutation::CreationForgotten);
        let (write, step) = Write::commit(seal, seq, version, created, data);
        self.hold(id, Some(Handle::Busy));
        let goal = Goal::Commit { op, id };
        self.begin(write, step, Item::Record(id.record), goal, cx);
    }

    fn erase(&mut self, id: HandleId, version: Version, after: Value, cx: &mut Context<'_>) {
        let Some(seal) = self.term.as_ref().map(|term| term.seal) else {
            return;
        };
        let seq = self.fresh_seq();
        let deed = Deed::Commit {
            seal,
            seq,
            after,
            value: 0,
        };
        let op = self.began(id.record, deed, cx);
        let (write, step) = Write::erase(seal, seq, version);
        self.hold(id, Some(Handle::Busy));
        let body = Box::new(RecordBody::new(seal, seq, None));
        let goal = Goal::Erase { op, id, body };
        self.begin(write, step, Item::Record(id.record), goal, cx);
    }

    fn activate(&mut self, cx: &mut Context<'_>) {
        let ticket = cx.number();
        if let Some(term) = &mut self.term
            && term.activation == Activation::Not
        {
            term.activation = Activation::Asked { ticket };
            let seal = term.seal;
            let change = RootChange::Activate;
            cx.fact(Fact::Changes {
                seal,
                ticket,
                change,
            });
            let change = Change::Activate;
            self.tell(Event::Change { ticket, change });
        }
    }

    fn publish(&mut self, cx: &mut Context<'_>) {
        let Some(seal) = self.term.as_ref().map(|term| term.seal) else {
            return;
        };
        let ticket = cx.number();
        let name: EndpointName = "rest".parse().expect("it is a word");
        let (fact, change) = if cx.dice.chance(700) {
            (
                RootChange::Publish,
                Change::Publish(name, ticket.to_string()),
            )
        } else {
            (RootChange::Withdraw, Change::Withdraw(name))
        };
        cx.fact(Fact::Changes {
            seal,
            ticket,
            change: fact,
        });
        self.tell(Event::Change { ticket, change });
    }

    fn resign(&mut self, prefer: Option<HolderName>, cx: &mut Context<'_>) {
        self.stop(cx);
        self.wanting = false;
        self.leaving = true;
        self.tell(Event::Resign { prefer });
    }

    fn look_at_a_record(&mut self, cx: &mut Context<'_>) {
        let record = u8::try_from(cx.dice.index(cx.plan.records.into())).expect("few");
        let op = self.began(record, Deed::Read, cx);
        self.read_record(op, record, cx);
    }

    fn began(&mut self, record: u8, deed: Deed, cx: &mut Context<'_>) -> Op {
        let op = cx.number();
        let process = self.process;
        cx.fact(Fact::Began {
            op,
            process,
            record,
            deed,
        });
        op
    }

    fn hold(&mut self, id: HandleId, handle: Option<Handle>) {
        let Some(term) = &mut self.term else { return };
        match handle {
            Some(handle) => _ = term.handles.insert(id, handle),
            None => _ = term.handles.remove(&id),
        }
    }
}
