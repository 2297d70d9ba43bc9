//! What a leader does to the root: claims, renewals, and the end of a term.

use super::{Event, FLOOR, Run};
use crate::model::Mutation;
use crate::model::state::{Expected, Handle, MAX_HANDLES, Phase, Role, RootWrite, Seal, Term};

impl Run<'_> {
    pub(super) fn campaign(&mut self, leader: usize, restarted: bool) {
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

    pub(super) fn scan(&mut self, leader: usize) {
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

    pub(super) fn claim(&mut self, leader: usize, found: Expected, highest: u8) {
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

    pub(super) fn claim_answered(&mut self, leader: usize) {
        let Role::Claiming { write } = self.me(leader).role else {
            unreachable!("only a claim is answered");
        };
        if self.land_root(&write) {
            self.won(leader);
        } else {
            self.me(leader).role = Role::Refused;
        }
    }

    pub(super) fn claim_lost(&mut self, leader: usize) {
        let Role::Claiming { write } = self.me(leader).role else {
            unreachable!("only a claim is lost");
        };
        self.state.budget.lost_answers -= 1;
        self.state.root_network.push(write);
    }

    pub(super) fn claim_checked(&mut self, leader: usize) {
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

    pub(super) fn won(&mut self, leader: usize) {
        let version = self.state.root.version;
        let me = self.me(leader);
        me.root_version = version;
        me.seen = me.seen.max(me.seal.epoch);
        me.role = Role::Sealing;
        if self.mutated(Mutation::NoFloor) || self.mutated(Mutation::EpochReused) {
            self.lead(leader);
        }
    }

    pub(super) fn lead(&mut self, leader: usize) {
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

    /// The own root is there, and no answer said so: the floor tells whether another has led
    /// meanwhile.
    fn lead_on(&mut self, leader: usize) {
        if self.mutated(Mutation::OwnRootBelieved) {
            self.lead(leader);
        } else if !self.mutated(Mutation::NoFloor) && !self.mutated(Mutation::EpochReused) {
            self.me(leader).role = Role::Sealing;
        }
    }

    pub(super) fn renew(&mut self, leader: usize) {
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

    pub(super) fn renewal_answered(&mut self, leader: usize) {
        let Role::Leading {
            renewal: Some(write),
        } = self.me(leader).role
        else {
            unreachable!("only a renewal is answered");
        };
        let landed = self.land_root(&write);
        // Refused: read who is there. The own seal means that the renewal landed before, or that
        // this root was put back.
        if landed || self.state.root.seal == Some(write.seal) {
            let version = self.state.root.version;
            let me = self.me(leader);
            me.root_version = version;
            me.role = Role::Leading { renewal: None };
            if !landed {
                self.lead_on(leader);
            }
            return;
        }
        let found = self.state.root.seal.map_or(0, |seal| seal.epoch);
        let me = self.me(leader);
        me.seen = me.seen.max(found);
        self.stop_leading(leader);
    }

    pub(super) fn renewal_lost(&mut self, leader: usize) {
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
    pub(super) fn stop_leading(&mut self, leader: usize) {
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

    pub(super) fn fenced(&mut self, leader: usize, found: Seal) {
        let me = self.me(leader);
        me.seen = me.seen.max(found.epoch);
        self.stop_leading(leader);
    }
}
