//! What a leader does to a record: opening, committing, and what becomes of a lost answer.

use super::{Event, FLOOR, Run};
use crate::model::Mutation;
use crate::model::state::{
    Attempt, Body, Commits, Expected, Handle, Known, Phase, Record, Seal, Write, WriteKind,
};

impl Run<'_> {
    // Opening.

    pub(super) fn open(&mut self, leader: usize, handle: u8) {
        let index = self.protocol.bounds.record_of(handle);
        let record = self.state.records[usize::from(index)];
        let mine = self.me(leader).seal;
        let ordinary = handle != FLOOR;
        let own = record.body.is_some_and(|body| body.seal == mine);
        if (ordinary && self.mutated(Mutation::ReadWithoutSeal))
            || (own && self.mutated(Mutation::ReopenWithoutReseal))
        {
            return self.opened(leader, handle, record.known(), record.relied_on);
        }
        self.seal(leader, handle, None);
    }

    /// Reads the record and asks for the same body under the own seal.
    pub(super) fn seal(&mut self, leader: usize, handle: u8, first_read: Option<Known>) {
        let index = self.protocol.bounds.record_of(handle);
        let record = self.state.records[usize::from(index)];
        let mine = self.me(leader).seal;
        if let Some(body) = record.body
            && self.outranks(body.seal, mine)
            && !self.mutated(Mutation::OpenIgnoresSeal)
        {
            return self.fenced(leader, body.seal);
        }
        let read = record.known();
        let base = match first_read {
            Some(first) if self.mutated(Mutation::ReadBeforeSeal) => first,
            _ => read,
        };
        let expected = if self.mutated(Mutation::UnconditionalSeal) {
            Expected::Anything
        } else {
            read.at
        };
        let known = Known {
            at: expected,
            ..read
        };
        self.send(
            leader,
            handle,
            WriteKind::Seal,
            known,
            Commits::default(),
            base,
        );
    }

    /// The record is sealed, and this was in it.
    fn sealed(&mut self, leader: usize, handle: u8, known: Known) {
        let vacant = known.content.is_empty() && !self.mutated(Mutation::VacantUnconfirmed);
        let unled = known.unled && !self.mutated(Mutation::UnledUnconfirmed);
        if (vacant || unled) && handle != FLOOR {
            let relied_on = self.relied_on(handle);
            self.handle(leader, handle).phase = Phase::Confirming(known, relied_on);
        } else {
            self.opened(leader, handle, known, self.relied_on(handle));
        }
    }

    /// Looks at the floor: if it bears the own seal, no newer leader had begun when the record was
    /// sealed.
    pub(super) fn confirmed(&mut self, leader: usize, handle: u8) {
        let Phase::Confirming(known, relied_on) = self.handle(leader, handle).phase else {
            unreachable!("only a vacant record is confirmed");
        };
        let floor = self.state.records[usize::from(self.protocol.bounds.floor())].body;
        let mine = self.me(leader).seal;
        match floor {
            Some(floor) if floor.seal == mine => self.opened(leader, handle, known, relied_on),
            Some(floor) => self.fenced(leader, floor.seal),
            None => self.stop_leading(leader),
        }
    }

    fn relied_on(&self, handle: u8) -> Commits {
        self.state.records[usize::from(self.protocol.bounds.record_of(handle))].relied_on
    }

    /// A leader knows what is in a record, as it was when the outside world relied on that.
    fn opened(&mut self, leader: usize, handle: u8, known: Known, relied_on: Commits) {
        let seal = self.me(leader).seal;
        let index = self.protocol.bounds.record_of(handle);
        let record = &mut self.state.records[usize::from(index)];
        self.events.push(Event::Opened {
            relied_on,
            read: known.history,
        });
        record.relied_on = record.relied_on.with(known.history);
        if !record.opener.outranks(seal) {
            record.opener = seal;
        }
        // Opening again settles what was unknown: what it does not read did not land and never
        // will.
        let mine = self.handle(leader, handle);
        let settled = mine.unknown.without(known.history);
        *mine = Handle {
            phase: Phase::Open(known),
            unknown: Commits::default(),
        };
        let refused = &mut self.state.promised.refused;
        *refused = refused.with(settled);
        if handle == FLOOR {
            self.lead(leader);
        }
    }

    // Committing.

    pub(super) fn commit(&mut self, leader: usize, handle: u8, kind: WriteKind) {
        let per_leader = self.protocol.bounds.commits + self.protocol.bounds.deletes;
        let me = self.me(leader);
        let Phase::Open(known) = me.handles[usize::from(handle)].phase else {
            unreachable!("only an opened record is changed");
        };
        let number = leader as u8 * per_leader + me.commits + me.deletes;
        match kind {
            WriteKind::Commit => me.commits += 1,
            WriteKind::Delete | WriteKind::Erase | WriteKind::Seal | WriteKind::Create => {
                me.deletes += 1
            }
        }
        let commit = Commits(1 << number);
        let mut wanted = changed(&known, kind, commit);
        let kind = match kind {
            WriteKind::Delete if self.protocol.bounds.erases => WriteKind::Erase,
            kind => kind,
        };
        if self.mutated(Mutation::UnconditionalWrite)
            || (kind == WriteKind::Erase && self.mutated(Mutation::UnconditionalErase))
        {
            wanted.at = Expected::Anything;
        }
        self.send(leader, handle, kind, wanted, commit, known);
    }

    /// Sends a write of `wanted` as a new attempt.
    pub(super) fn send(
        &mut self,
        leader: usize,
        handle: u8,
        kind: WriteKind,
        wanted: Known,
        commit: Commits,
        base: Known,
    ) {
        let record = self.protocol.bounds.record_of(handle);
        let unsealed = kind == WriteKind::Delete && self.mutated(Mutation::TombstoneWithoutSeal);
        let forgets = self.mutated(Mutation::CreationForgotten);
        let hides = self.mutated(Mutation::UnledForgotten);
        let me = self.me(leader);
        me.sequence += 1;
        let body = Body {
            seal: if unsealed { Seal::NOBODY } else { me.seal },
            sequence: me.sequence,
            created: if forgets { 0 } else { wanted.created },
            unled: wanted.unled && !hides,
            content: wanted.content,
            history: wanted.history,
        };
        me.handles[usize::from(handle)].phase = Phase::Writing(Attempt {
            write: Write {
                record,
                expected: wanted.at,
                body,
                kind,
                commit,
            },
            lost: false,
            base,
        });
    }

    pub(super) fn answered(&mut self, leader: usize, handle: u8) {
        let Phase::Writing(attempt) = self.handle(leader, handle).phase else {
            unreachable!("only a write is answered");
        };
        if self.land(&attempt.write) {
            return self.succeeded(leader, handle, &attempt);
        }
        let commits = attempt.write.kind != WriteKind::Seal;
        if commits && self.mutated(Mutation::OwnWriteTakenAsForeign) {
            let refused = &mut self.state.promised.refused;
            *refused = refused.with(attempt.write.commit);
            self.handle(leader, handle).phase = Phase::Closed;
            return;
        }
        self.handle(leader, handle).phase = Phase::Refused(attempt);
    }

    /// The attempt landed, and its sender knows.
    pub(super) fn succeeded(&mut self, leader: usize, handle: u8, attempt: &Attempt) {
        let write = &attempt.write;
        let record = &mut self.state.records[usize::from(write.record)];
        let known = Known {
            at: record.at(),
            created: write.body.created,
            unled: write.body.unled,
            content: write.body.content,
            history: write.body.history,
        };
        match write.kind {
            WriteKind::Seal => {
                let read = Known {
                    at: known.at,
                    ..attempt.base
                };
                return self.sealed(leader, handle, read);
            }
            WriteKind::Commit | WriteKind::Create => {}
            WriteKind::Delete | WriteKind::Erase => {
                record.deleted = record.deleted.with(attempt.base.content);
            }
        }
        record.relied_on = record.relied_on.with(write.commit);
        self.handle(leader, handle).phase = match write.kind {
            WriteKind::Erase => Phase::Closed,
            WriteKind::Seal | WriteKind::Commit | WriteKind::Create | WriteKind::Delete => {
                Phase::Open(known)
            }
        };
    }

    pub(super) fn lost(&mut self, leader: usize, handle: u8) {
        let Phase::Writing(mut attempt) = self.handle(leader, handle).phase else {
            unreachable!("only a write is lost");
        };
        self.state.budget.lost_answers -= 1;
        self.state.network.push(attempt.write);
        attempt.lost = true;
        let commits = attempt.write.kind != WriteKind::Seal;
        let phase = if commits && self.mutated(Mutation::UnknownTakenAsNotApplied) {
            let refused = &mut self.state.promised.refused;
            *refused = refused.with(attempt.write.commit);
            Phase::Open(attempt.base)
        } else if commits && self.mutated(Mutation::RetryWithoutRecognition) {
            Phase::Refused(attempt)
        } else {
            Phase::Writing(attempt)
        };
        self.handle(leader, handle).phase = phase;
    }

    pub(super) fn given_up(&mut self, leader: usize, handle: u8) {
        let Phase::Writing(attempt) = self.handle(leader, handle).phase else {
            unreachable!("only a write is given up");
        };
        self.state.budget.lost_answers -= 1;
        self.state.network.push(attempt.write);
        let mine = self.handle(leader, handle);
        mine.unknown = mine.unknown.with(attempt.write.commit);
        mine.phase = Phase::Closed;
    }

    pub(super) fn checked(&mut self, leader: usize, handle: u8) {
        let Phase::Refused(attempt) = self.handle(leader, handle).phase else {
            unreachable!("only a refusal is checked");
        };
        let record = self.state.records[usize::from(attempt.write.record)];
        let mine = self.me(leader).seal;
        let landed = record.body.is_some_and(|body| {
            attempt.wrote(&body)
                || (self.mutated(Mutation::SequenceNotCompared) && body.seal == mine)
        });
        match attempt.write.kind {
            _ if landed && !self.mutated(Mutation::RetryWithoutRecognition) => {
                self.succeeded(leader, handle, &attempt);
            }
            WriteKind::Seal if landed => self.succeeded(leader, handle, &attempt),
            WriteKind::Seal => self.seal(leader, handle, Some(attempt.base)),
            WriteKind::Commit | WriteKind::Create | WriteKind::Delete | WriteKind::Erase => {
                self.refused(leader, handle, &attempt, &record);
            }
        }
    }

    /// A commit was refused and is not what the record holds.
    pub(super) fn refused(
        &mut self,
        leader: usize,
        handle: u8,
        attempt: &Attempt,
        record: &Record,
    ) {
        let Write {
            kind, commit, body, ..
        } = attempt.write;
        if self.mutated(Mutation::CommitFromForeignVersion) {
            let wanted = Known {
                at: record.at(),
                created: body.created,
                unled: body.unled,
                content: body.content,
                history: body.history,
            };
            return self.send(leader, handle, kind, wanted, commit, attempt.base);
        }
        let mine = self.me(leader).seal;
        let fence = record.body.filter(|body| self.outranks(body.seal, mine));
        if attempt.lost && fence.is_none() && self.mutated(Mutation::RetryWithoutRecognition) {
            let found = record.known();
            let wanted = changed(&found, kind, commit);
            return self.send(leader, handle, kind, wanted, commit, found);
        }
        // A swap that was refused at once did not land. One whose earlier answer was lost may have
        // landed, and then been written over: nobody can tell any more.
        if attempt.lost && !self.mutated(Mutation::RefusalTakenAsNotApplied) {
            let mine = self.handle(leader, handle);
            mine.unknown = mine.unknown.with(commit);
        } else {
            let refused = &mut self.state.promised.refused;
            *refused = refused.with(commit);
        }
        match fence {
            Some(body) => self.fenced(leader, body.seal),
            None => self.handle(leader, handle).phase = Phase::Closed,
        }
    }
}

/// What a leader that knows this wants the record to be.
fn changed(known: &Known, kind: WriteKind, commit: Commits) -> Known {
    Known {
        at: known.at,
        created: known.created,
        unled: false,
        content: match kind {
            WriteKind::Commit | WriteKind::Seal | WriteKind::Create => known.content.with(commit),
            WriteKind::Delete | WriteKind::Erase => Commits::default(),
        },
        history: known.history.with(commit),
    }
}
