//! [`Step`]: one thing that happens, and what it leads to. This file is the protocol.
//!
//! A request and its answer are one step, because a sender that waits does nothing else and an answer that travels
//! longer only lets it act later. All that matters is when the request reaches the store, and steps of others may come
//! between any two of these.

use super::state::{
    Attempt, Body, Budget, Commits, Expected, Handle, Kind, Known, Leader, MAX_HANDLES, Phase,
    Record, Role, Root, RootWrite, Seal, State, Term, Write,
};
use super::{Bounds, Mutation};

/// The handle of every leader that seals the floor.
pub(super) const FLOOR: u8 = MAX_HANDLES as u8;

/// One thing that happens. `leader` and `handle` are numbers, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Reads the root and asks for it, perhaps with all memory lost.
    Campaign {
        leader: u8,
        restarted: bool,
    },
    /// Looks at one record for its seal; after the last one, asks for the root.
    Scan {
        leader: u8,
    },
    /// The wanted swap of the root is decided, and the candidate hears how.
    ClaimAnswered {
        leader: u8,
    },
    /// No answer: the same swap is sent again, and the first may still land.
    ClaimLost {
        leader: u8,
    },
    /// No answer: the candidate gives up.
    ClaimGivenUp {
        leader: u8,
    },
    /// After a refusal: reads who won.
    ClaimChecked {
        leader: u8,
    },
    /// Asks for the root to be written again under the same seal.
    Renew {
        leader: u8,
    },
    RenewalAnswered {
        leader: u8,
    },
    RenewalLost {
        leader: u8,
    },
    /// Stops leading for no reason.
    Stop {
        leader: u8,
    },
    /// Reads a record and asks for the same body under the own seal.
    Open {
        leader: u8,
        handle: u8,
    },
    Commit {
        leader: u8,
        handle: u8,
    },
    Delete {
        leader: u8,
        handle: u8,
    },
    /// The wanted write is decided, and its sender hears how.
    Answered {
        leader: u8,
        handle: u8,
    },
    /// No answer: the same write is sent again, and the first may still land.
    Lost {
        leader: u8,
        handle: u8,
    },
    /// No answer: the sender closes the handle.
    GivenUp {
        leader: u8,
        handle: u8,
    },
    /// After a refusal: reads who wrote instead.
    Checked {
        leader: u8,
        handle: u8,
    },
    /// A write that nobody waits for lands.
    Arrive {
        index: u8,
    },
    ArriveRoot {
        index: u8,
    },
    /// An operator deletes the root.
    DeleteRoot,
}

/// What a step did that some promise is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A write landed on a record that was like this before.
    Landed { before: Record, write: Write },
    /// A leader opened a record and read this; the outside world relied on that before.
    Opened { relied_on: Commits, read: Commits },
    /// A leader began to lead; this term led the same epoch before, and that epoch was the highest ever led.
    Led {
        seal: Seal,
        same_epoch: Term,
        highest: u8,
    },
    /// The root was written.
    RootWritten { before: Option<Seal>, after: Seal },
}

/// The protocol, or what a mutation leaves of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protocol {
    pub(super) bounds: Bounds,
    pub(super) mutation: Mutation,
}

// What may happen.

impl Protocol {
    /// Everything that may happen next.
    pub(super) fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        for leader in 0..self.bounds.leaders {
            self.role_steps(state, leader, steps);
            self.handle_steps(state, leader, steps);
        }
        for (index, write) in state.network.iter().enumerate() {
            let record = &state.records[usize::from(write.record)];
            if matches(write.expected, record.at()) {
                steps.push(Step::Arrive { index: index as u8 });
            }
        }
        for (index, write) in state.root_network.iter().enumerate() {
            if matches(write.expected, state.root.at()) {
                steps.push(Step::ArriveRoot { index: index as u8 });
            }
        }
        if state.root.seal.is_some() && state.budget.root_deletions > 0 {
            steps.push(Step::DeleteRoot);
        }
    }

    fn role_steps(&self, state: &State, leader: u8, steps: &mut Vec<Step>) {
        let me = &state.leaders[usize::from(leader)];
        let may_lose = state.budget.lost_answers > 0;
        match me.role {
            Role::Idle if me.terms < self.bounds.terms => {
                steps.push(Step::Campaign {
                    leader,
                    restarted: false,
                });
                if me.seen > state.root.seal.map_or(0, |seal| seal.epoch) {
                    steps.push(Step::Campaign {
                        leader,
                        restarted: true,
                    });
                }
            }
            Role::Idle => {}
            Role::Scanning { .. } => steps.push(Step::Scan { leader }),
            Role::Claiming { write } => {
                steps.push(Step::ClaimAnswered { leader });
                if may_lose && self.root_write_may_land(&state.root, &state.budget, &write) {
                    steps.push(Step::ClaimLost { leader });
                    steps.push(Step::ClaimGivenUp { leader });
                }
            }
            Role::Refused => steps.push(Step::ClaimChecked { leader }),
            Role::Sealing => {}
            Role::Leading { renewal: None } => {
                if state.budget.renewals > 0 {
                    steps.push(Step::Renew { leader });
                }
            }
            Role::Leading {
                renewal: Some(write),
            } => {
                steps.push(Step::RenewalAnswered { leader });
                if may_lose && self.root_write_may_land(&state.root, &state.budget, &write) {
                    steps.push(Step::RenewalLost { leader });
                }
            }
        }
        // A leader that stops for good is one that takes no further step: it needs no step of its own.
        let holds = matches!(me.role, Role::Sealing | Role::Leading { .. });
        if holds && me.terms < self.bounds.terms && (may_lose || !me.waits()) {
            steps.push(Step::Stop { leader });
        }
    }

    fn handle_steps(&self, state: &State, leader: u8, steps: &mut Vec<Step>) {
        let me = &state.leaders[usize::from(leader)];
        match me.role {
            Role::Leading { .. } => {
                for handle in 0..self.bounds.handles() {
                    self.steps_of_handle(state, leader, handle, steps);
                }
            }
            Role::Sealing => self.steps_of_handle(state, leader, FLOOR, steps),
            Role::Idle | Role::Scanning { .. } | Role::Claiming { .. } | Role::Refused => {}
        }
    }

    fn steps_of_handle(&self, state: &State, leader: u8, handle: u8, steps: &mut Vec<Step>) {
        let me = &state.leaders[usize::from(leader)];
        match me.handles[usize::from(handle)].phase {
            Phase::Closed => steps.push(Step::Open { leader, handle }),
            Phase::Writing(attempt) => {
                steps.push(Step::Answered { leader, handle });
                let record = &state.records[usize::from(attempt.write.record)];
                if state.budget.lost_answers > 0 && self.write_may_land(record, &attempt.write) {
                    steps.push(Step::Lost { leader, handle });
                    steps.push(Step::GivenUp { leader, handle });
                }
            }
            Phase::Refused(_) => steps.push(Step::Checked { leader, handle }),
            Phase::Open(known) => {
                if me.commits < self.bounds.commits {
                    steps.push(Step::Commit { leader, handle });
                }
                if me.deletes < self.bounds.deletes && !known.content.is_empty() {
                    steps.push(Step::Delete { leader, handle });
                }
            }
        }
    }

    /// Whether a write that is under way can still land, now or ever.
    fn write_may_land(&self, record: &Record, write: &Write) -> bool {
        let gone_for_good = self.mutation != Mutation::PhysicalDelete;
        match write.expected {
            Expected::Anything => true,
            Expected::Absent => record.body.is_none() || !gone_for_good,
            expected @ Expected::Version(_) => record.at() == expected,
        }
    }

    fn root_write_may_land(&self, root: &Root, budget: &Budget, write: &RootWrite) -> bool {
        match write.expected {
            Expected::Anything => true,
            Expected::Absent => root.seal.is_none() || budget.root_deletions > 0,
            expected @ Expected::Version(_) => {
                root.at() == expected || self.bounds.versions_restart
            }
        }
    }
}

impl Leader {
    /// Whether an answer is outstanding.
    fn waits(&self) -> bool {
        let writes = |handle: &Handle| matches!(handle.phase, Phase::Writing(_));
        let renews = matches!(self.role, Role::Leading { renewal: Some(_) });
        renews || self.handles.iter().any(writes)
    }
}

fn matches(expected: Expected, present: Expected) -> bool {
    expected == Expected::Anything || expected == present
}

// What it leads to.

impl Protocol {
    /// What `step` makes of `state`; the events it caused are added to `events`.
    pub(super) fn take(&self, state: &State, step: Step, events: &mut Vec<Event>) -> State {
        let mut run = Run {
            protocol: self,
            state: state.clone(),
            events,
        };
        run.step(step);
        run.forget_dead_writes();
        run.state
    }
}

/// One step under way.
struct Run<'a> {
    protocol: &'a Protocol,
    state: State,
    events: &'a mut Vec<Event>,
}

impl Run<'_> {
    fn step(&mut self, step: Step) {
        match step {
            Step::Campaign { leader, restarted } => self.campaign(leader.into(), restarted),
            Step::Scan { leader } => self.scan(leader.into()),
            Step::ClaimAnswered { leader } => self.claim_answered(leader.into()),
            Step::ClaimLost { leader } => self.claim_lost(leader.into()),
            Step::ClaimGivenUp { leader } => {
                self.claim_lost(leader.into());
                self.stop_leading(leader.into());
            }
            Step::ClaimChecked { leader } => self.claim_checked(leader.into()),
            Step::Renew { leader } => self.renew(leader.into()),
            Step::RenewalAnswered { leader } => self.renewal_answered(leader.into()),
            Step::RenewalLost { leader } => self.renewal_lost(leader.into()),
            Step::Stop { leader } => {
                if self.me(leader.into()).waits() {
                    self.state.budget.lost_answers -= 1;
                }
                self.stop_leading(leader.into());
            }
            Step::Open { leader, handle } => self.open(leader.into(), handle),
            Step::Commit { leader, handle } => self.commit(leader.into(), handle, Kind::Commit),
            Step::Delete { leader, handle } => self.commit(leader.into(), handle, Kind::Delete),
            Step::Answered { leader, handle } => self.answered(leader.into(), handle),
            Step::Lost { leader, handle } => self.lost(leader.into(), handle),
            Step::GivenUp { leader, handle } => self.given_up(leader.into(), handle),
            Step::Checked { leader, handle } => self.checked(leader.into(), handle),
            Step::Arrive { index } => {
                let write = self.state.network.remove(index.into());
                self.land(&write);
            }
            Step::ArriveRoot { index } => {
                let write = self.state.root_network.remove(index.into());
                self.land_root(&write);
            }
            Step::DeleteRoot => {
                self.state.budget.root_deletions -= 1;
                self.state.root.seal = None;
            }
        }
    }

    fn me(&mut self, leader: usize) -> &mut Leader {
        &mut self.state.leaders[leader]
    }

    fn handle(&mut self, leader: usize, handle: u8) -> &mut Handle {
        &mut self.state.leaders[leader].handles[usize::from(handle)]
    }

    fn mutated(&self, mutation: Mutation) -> bool {
        self.protocol.mutation == mutation
    }

    fn outranks(&self, found: Seal, mine: Seal) -> bool {
        if self.mutated(Mutation::NoNonce) {
            return found.epoch > mine.epoch;
        }
        found.outranks(mine)
    }

    // The root.

    fn campaign(&mut self, leader: usize, restarted: bool) {
        let root = self.state.root;
        let me = self.me(leader);
        me.terms += 1;
        if restarted {
            me.seen = 0;
        }
        match root.seal {
            Some(found) => {
                me.seen = me.seen.max(found.epoch);
                let highest = me.seen;
                self.claim(leader, root.at(), highest);
            }
            None if self.mutated(Mutation::EpochReused) => self.claim(leader, root.at(), 0),
            None if self.mutated(Mutation::NoScan) => {
                let highest = self.me(leader).seen;
                self.claim(leader, root.at(), highest);
            }
            None => {
                self.me(leader).role = Role::Scanning {
                    next: 0,
                    highest: 0,
                }
            }
        }
    }

    fn scan(&mut self, leader: usize) {
        let Role::Scanning { next, highest } = self.me(leader).role else {
            unreachable!("only a scanning candidate scans");
        };
        let found = self.state.records[usize::from(next)].body;
        let highest = highest.max(found.map_or(0, |body| body.seal.epoch));
        if next < self.protocol.bounds.floor() {
            let next = next + 1;
            self.me(leader).role = Role::Scanning { next, highest };
            return;
        }
        let me = self.me(leader);
        me.seen = me.seen.max(highest);
        let highest = me.seen;
        self.claim(leader, Expected::Absent, highest);
    }

    fn claim(&mut self, leader: usize, found: Expected, highest: u8) {
        let expected = if self.mutated(Mutation::UnconditionalRoot) {
            Expected::Anything
        } else {
            found
        };
        let me = self.me(leader);
        me.seal = Seal {
            epoch: highest + 1,
            term: Term::new(leader, me.terms),
        };
        let write = RootWrite {
            expected,
            seal: me.seal,
        };
        me.role = Role::Claiming { write };
    }

    fn claim_answered(&mut self, leader: usize) {
        let Role::Claiming { write } = self.me(leader).role else {
            unreachable!("only a claim is answered");
        };
        if self.land_root(&write) {
            self.won(leader);
        } else {
            self.me(leader).role = Role::Refused;
        }
    }

    fn claim_lost(&mut self, leader: usize) {
        let Role::Claiming { write } = self.me(leader).role else {
            unreachable!("only a claim is lost");
        };
        self.state.budget.lost_answers -= 1;
        self.state.root_network.push(write);
    }

    fn claim_checked(&mut self, leader: usize) {
        let found = self.state.root.seal;
        let mine = self.me(leader).seal;
        let won = match found {
            Some(found) if self.mutated(Mutation::NoNonce) => found.epoch == mine.epoch,
            Some(found) => found == mine,
            None => false,
        };
        if won {
            return self.won(leader);
        }
        let me = self.me(leader);
        me.seen = me.seen.max(found.map_or(0, |seal| seal.epoch));
        self.stop_leading(leader);
    }

    fn won(&mut self, leader: usize) {
        let version = self.state.root.version;
        let me = self.me(leader);
        me.root_version = version;
        me.seen = me.seen.max(me.seal.epoch);
        me.role = Role::Sealing;
        if self.mutated(Mutation::NoFloor) || self.mutated(Mutation::EpochReused) {
            self.lead(leader);
        }
    }

    fn lead(&mut self, leader: usize) {
        self.me(leader).role = Role::Leading { renewal: None };
        self.me(leader).handles[usize::from(FLOOR)] = Handle::CLOSED;
        let seal = self.me(leader).seal;
        let led = &mut self.state.promised.led;
        let same_epoch = led[usize::from(seal.epoch)];
        let highest = led.iter().rposition(|term| *term != Term::default());
        led[usize::from(seal.epoch)] = seal.term;
        self.events.push(Event::Led {
            seal,
            same_epoch,
            highest: highest.unwrap_or(0) as u8,
        });
    }

    fn renew(&mut self, leader: usize) {
        self.state.budget.renewals -= 1;
        let me = self.me(leader);
        let write = RootWrite {
            expected: Expected::Version(me.root_version),
            seal: me.seal,
        };
        me.role = Role::Leading {
            renewal: Some(write),
        };
    }

    fn renewal_answered(&mut self, leader: usize) {
        let Role::Leading {
            renewal: Some(write),
        } = self.me(leader).role
        else {
            unreachable!("only a renewal is answered");
        };
        let landed = self.land_root(&write);
        // Refused: read who is there. The own seal means that the renewal landed before.
        if landed || self.state.root.seal == Some(write.seal) {
            let version = self.state.root.version;
            let me = self.me(leader);
            me.root_version = version;
            me.role = Role::Leading { renewal: None };
            return;
        }
        let found = self.state.root.seal.map_or(0, |seal| seal.epoch);
        let me = self.me(leader);
        me.seen = me.seen.max(found);
        self.stop_leading(leader);
    }

    fn renewal_lost(&mut self, leader: usize) {
        let Role::Leading {
            renewal: Some(write),
        } = self.me(leader).role
        else {
            unreachable!("only a renewal is lost");
        };
        self.state.budget.lost_answers -= 1;
        self.state.root_network.push(write);
    }

    /// Ends the term. What is under way stays under way.
    fn stop_leading(&mut self, leader: usize) {
        let me = *self.me(leader);
        if let Role::Leading {
            renewal: Some(write),
        } = me.role
        {
            self.state.root_network.push(write);
        }
        for handle in me.handles {
            if let Phase::Writing(attempt) = handle.phase {
                self.state.network.push(attempt.write);
            }
        }
        let me = self.me(leader);
        me.role = Role::Idle;
        me.seal = Seal::NOBODY;
        me.sequence = 0;
        me.root_version = 0;
        me.handles = [Handle::CLOSED; MAX_HANDLES + 1];
    }

    fn fenced(&mut self, leader: usize, found: Seal) {
        let me = self.me(leader);
        me.seen = me.seen.max(found.epoch);
        self.stop_leading(leader);
    }

    // Opening.

    fn open(&mut self, leader: usize, handle: u8) {
        let index = self.protocol.bounds.record_of(handle);
        let record = self.state.records[usize::from(index)];
        let mine = self.me(leader).seal;
        let ordinary = handle != FLOOR;
        let own = record.body.is_some_and(|body| body.seal == mine);
        if (ordinary && self.mutated(Mutation::ReadWithoutSeal))
            || (own && self.mutated(Mutation::ReopenWithoutReseal))
        {
            return self.opened(leader, handle, record.known());
        }
        self.seal(leader, handle, None);
    }

    /// Reads the record and asks for the same body under the own seal.
    fn seal(&mut self, leader: usize, handle: u8, first_read: Option<Known>) {
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
        self.send(leader, handle, Kind::Seal, known, Commits::default(), base);
    }

    fn opened(&mut self, leader: usize, handle: u8, known: Known) {
        let seal = self.me(leader).seal;
        let index = self.protocol.bounds.record_of(handle);
        let record = &mut self.state.records[usize::from(index)];
        self.events.push(Event::Opened {
            relied_on: record.relied_on,
            read: known.history,
        });
        record.relied_on = record.relied_on.with(known.history);
        if !record.opener.outranks(seal) {
            record.opener = seal;
        }
        // Opening again settles what was unknown: what it does not read did not land and never will.
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

    fn commit(&mut self, leader: usize, handle: u8, kind: Kind) {
        let per_leader = self.protocol.bounds.commits + self.protocol.bounds.deletes;
        let me = self.me(leader);
        let Phase::Open(known) = me.handles[usize::from(handle)].phase else {
            unreachable!("only an opened record is changed");
        };
        let number = leader as u8 * per_leader + me.commits + me.deletes;
        match kind {
            Kind::Commit => me.commits += 1,
            Kind::Delete | Kind::Remove | Kind::Seal => me.deletes += 1,
        }
        let commit = Commits(1 << number);
        let mut wanted = changed(&known, kind, commit);
        if self.mutated(Mutation::UnconditionalWrite) {
            wanted.at = Expected::Anything;
        }
        let kind = match kind {
            Kind::Delete if self.mutated(Mutation::PhysicalDelete) => Kind::Remove,
            kind => kind,
        };
        self.send(leader, handle, kind, wanted, commit, known);
    }

    /// Sends a write of `wanted` as a new attempt.
    fn send(
        &mut self,
        leader: usize,
        handle: u8,
        kind: Kind,
        wanted: Known,
        commit: Commits,
        base: Known,
    ) {
        let record = self.protocol.bounds.record_of(handle);
        let unsealed = kind == Kind::Delete && self.mutated(Mutation::TombstoneWithoutSeal);
        let me = self.me(leader);
        me.sequence += 1;
        let body = Body {
            seal: if unsealed { Seal::NOBODY } else { me.seal },
            sequence: me.sequence,
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

    fn answered(&mut self, leader: usize, handle: u8) {
        let Phase::Writing(attempt) = self.handle(leader, handle).phase else {
            unreachable!("only a write is answered");
        };
        if self.land(&attempt.write) {
            return self.succeeded(leader, handle, &attempt);
        }
        let commits = attempt.write.kind != Kind::Seal;
        if commits && self.mutated(Mutation::OwnWriteTakenAsForeign) {
            let refused = &mut self.state.promised.refused;
            *refused = refused.with(attempt.write.commit);
            self.handle(leader, handle).phase = Phase::Closed;
            return;
        }
        self.handle(leader, handle).phase = Phase::Refused(attempt);
    }

    /// The attempt landed, and its sender knows.
    fn succeeded(&mut self, leader: usize, handle: u8, attempt: &Attempt) {
        let write = &attempt.write;
        let record = &mut self.state.records[usize::from(write.record)];
        let known = Known {
            at: record.at(),
            content: write.body.content,
            history: write.body.history,
        };
        match write.kind {
            Kind::Seal => {
                let read = Known {
                    at: known.at,
                    ..attempt.base
                };
                return self.opened(leader, handle, read);
            }
            Kind::Commit => {}
            Kind::Delete | Kind::Remove => {
                record.deleted = record.deleted.with(attempt.base.content);
            }
        }
        record.relied_on = record.relied_on.with(write.commit);
        self.handle(leader, handle).phase = Phase::Open(known);
    }

    fn lost(&mut self, leader: usize, handle: u8) {
        let Phase::Writing(mut attempt) = self.handle(leader, handle).phase else {
            unreachable!("only a write is lost");
        };
        self.state.budget.lost_answers -= 1;
        self.state.network.push(attempt.write);
        attempt.lost = true;
        let commits = attempt.write.kind != Kind::Seal;
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

    fn given_up(&mut self, leader: usize, handle: u8) {
        let Phase::Writing(attempt) = self.handle(leader, handle).phase else {
            unreachable!("only a write is given up");
        };
        self.state.budget.lost_answers -= 1;
        self.state.network.push(attempt.write);
        let mine = self.handle(leader, handle);
        mine.unknown = mine.unknown.with(attempt.write.commit);
        mine.phase = Phase::Closed;
    }

    fn checked(&mut self, leader: usize, handle: u8) {
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
            Kind::Seal if landed => self.succeeded(leader, handle, &attempt),
            Kind::Seal => self.seal(leader, handle, Some(attempt.base)),
            Kind::Commit | Kind::Delete | Kind::Remove => {
                self.refused(leader, handle, &attempt, &record);
            }
        }
    }

    /// A commit was refused and is not what the record holds.
    fn refused(&mut self, leader: usize, handle: u8, attempt: &Attempt, record: &Record) {
        let Write {
            kind, commit, body, ..
        } = attempt.write;
        if self.mutated(Mutation::CommitFromForeignVersion) {
            let wanted = Known {
                at: record.at(),
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
        // A swap that was refused at once did not land. One whose earlier answer was lost may have landed, and then been
        // written over: nobody can tell any more.
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

    // The store.

    /// Decides a write to a record. Says whether it landed.
    fn land(&mut self, write: &Write) -> bool {
        let record = &mut self.state.records[usize::from(write.record)];
        if !matches(write.expected, record.at()) {
            return false;
        }
        let before = *record;
        record.version += 1;
        if write.body.seal.epoch >= record.top.epoch {
            record.top = write.body.seal;
        }
        if write.kind == Kind::Remove {
            record.buried = write.body.history;
            record.body = None;
        } else {
            let mut body = write.body;
            body.history = body.history.with(record.buried);
            record.body = Some(body);
            record.buried = Commits::default();
        }
        let landed = &mut self.state.promised.landed;
        *landed = landed.with(write.commit);
        self.events.push(Event::Landed {
            before,
            write: *write,
        });
        true
    }

    /// The same for the root.
    fn land_root(&mut self, write: &RootWrite) -> bool {
        let restart = self.protocol.bounds.versions_restart;
        let root = &mut self.state.root;
        if !matches(write.expected, root.at()) {
            return false;
        }
        let before = root.seal;
        root.version = if before.is_none() && restart {
            1
        } else {
            root.version + 1
        };
        root.seal = Some(write.seal);
        self.events.push(Event::RootWritten {
            before,
            after: write.seal,
        });
        true
    }

    /// Drops what can never land any more, and copies: of two equal swaps one lands.
    fn forget_dead_writes(&mut self) {
        let state = &mut self.state;
        let (records, root, budget) = (&state.records, &state.root, &state.budget);
        let protocol = self.protocol;
        keep(&mut state.network, |write| {
            protocol.write_may_land(&records[usize::from(write.record)], write)
        });
        keep(&mut state.root_network, |write| {
            protocol.root_write_may_land(root, budget, write)
        });
    }
}

/// What a leader that knows this wants the record to be.
fn changed(known: &Known, kind: Kind, commit: Commits) -> Known {
    Known {
        at: known.at,
        content: match kind {
            Kind::Commit | Kind::Seal => known.content.with(commit),
            Kind::Delete | Kind::Remove => Commits::default(),
        },
        history: known.history.with(commit),
    }
}

fn keep<T: PartialEq>(writes: &mut Vec<T>, alive: impl Fn(&T) -> bool) {
    let mut index = 0;
    while index < writes.len() {
        if alive(&writes[index]) && !writes[..index].contains(&writes[index]) {
            index += 1;
        } else {
            writes.remove(index);
        }
    }
}
