//! A leader: renewing, changing the root, giving up, and noticing the end of the term.

use std::collections::VecDeque;

use super::attempt::Attempt;
use super::{Action, Aim, Change, Election, FloorAnswer, LostBecause, Role, Sight, Vacancy};
use crate::root::{Root, TermState};
use crate::{Epoch, HolderName, Now, Seal, Time, Version};

/// A term of this process.
#[derive(Debug)]
pub(super) struct Term {
    pub(super) seal: Seal,
    /// When the last acknowledged write was sent. The right to act counts from here.
    pub(super) anchor: Time,
    won_at: Time,
    /// Somebody asked for a hand-over before the term was granted: to whom, if named.
    asked: Option<Option<HolderName>>,
    /// The write of the root whose outcome is unknown.
    pub(super) renewal: Option<Attempt>,
    vacancy: Vacancy,
    phase: Phase,
    /// When the floor must be sealed again.
    floor_at: Option<Time>,
    version: Version,
    root: Root,
    /// Number of the last write that was tried.
    last_seq: u64,
    renew_at: Time,
    changes: VecDeque<(u64, Change)>,
    /// How many of the changes the renewal under way carries.
    carried: usize,
}

#[derive(Debug)]
enum Phase {
    /// The root is won. The floor must carry the seal before the term counts.
    Winning,
    Granted,
    /// The application has stopped, or does not want the term that was won. The root must say so.
    Releasing {
        prefer: Option<HolderName>,
        /// Whether the application was told that it leads.
        granted: bool,
    },
}

impl Term {
    pub(super) fn is_granted(&self) -> bool {
        matches!(self.phase, Phase::Granted)
    }

    /// The next write: a renewal that carries the changes, or the release.
    fn next_root(&mut self, wall: String) -> Root {
        let mut root = self.root.clone();
        self.last_seq += 1;
        root.seq = self.last_seq;
        root.renewed = wall;
        root.handover = None;
        self.carried = self.changes.len();
        for (_, change) in &self.changes {
            match change.clone() {
                Change::Activate => root.state = TermState::Active,
                Change::Publish(name, address) => _ = root.endpoints.insert(name, address),
                Change::Withdraw(name) => _ = root.endpoints.remove(&name),
            }
        }
        if let Phase::Releasing { prefer, .. } = &self.phase {
            root.state = TermState::Released;
            root.endpoints.clear();
            root.liveness = None;
            root.preferred = prefer.clone();
        }
        root
    }
}

impl Election {
    pub(super) fn win(
        &mut self,
        version: Version,
        root: Root,
        vacancy: Vacancy,
        sent: Time,
        out: &mut Vec<Action>,
    ) {
        let seal = root.seal();
        // A claim of an earlier campaign can be found to have landed after another campaign has
        // begun. It names the earlier liveness endpoint, which nobody serves any more: standbys
        // would take its refusal for a proof of death. So the term is given up, and claimed anew.
        let is_outdated = root.liveness != self.config.liveness;
        let abandoned = self.aim == Aim::Observe || is_outdated;
        let phase = if abandoned {
            Phase::Releasing {
                prefer: (self.aim == Aim::Lead).then(|| self.config.holder.clone()),
                granted: false,
            }
        } else {
            Phase::Winning
        };
        self.role = Role::Leading(Box::new(Term {
            seal,
            vacancy,
            anchor: sent,
            won_at: sent,
            asked: root.handover.as_ref().map(|handover| handover.to.clone()),
            renewal: None,
            phase,
            floor_at: None,
            version,
            last_seq: root.seq,
            root,
            renew_at: sent + self.config.timing.retry(),
            changes: VecDeque::new(),
            carried: 0,
        }));
        if !abandoned {
            out.push(Action::SealFloor { seal });
        }
    }

    pub(super) fn floor(
        &mut self,
        now: Now,
        seal: Seal,
        answer: FloorAnswer,
        out: &mut Vec<Action>,
    ) {
        if let FloorAnswer::Fenced(epoch) = answer {
            self.ahead = self.ahead.max(epoch);
        }
        let pause = self.config.timing.retry() / 2;
        let Role::Leading(term) = &mut self.role else {
            return;
        };
        if term.seal != seal {
            return;
        }
        match (&term.phase, answer) {
            (Phase::Releasing { .. }, _) | (Phase::Granted, FloorAnswer::Sealed) => {}
            (Phase::Winning, FloorAnswer::Sealed) => {
                term.phase = Phase::Granted;
                out.push(Action::Granted {
                    seal,
                    vacancy: term.vacancy,
                });
                out.extend(term.asked.take().map(|to| Action::AskedToResign { to }));
            }
            (_, FloorAnswer::Fenced(epoch)) => self.lose(LostBecause::Superseded(epoch), out),
            (_, FloorAnswer::Failed) => term.floor_at = Some(now.time + pause),
        }
    }

    pub(super) fn change(&mut self, ticket: u64, change: Change, out: &mut Vec<Action>) {
        match &mut self.role {
            Role::Leading(term) if term.is_granted() => term.changes.push_back((ticket, change)),
            Role::Leading(_) | Role::Standby(_) => out.push(Action::Refused { ticket }),
        }
    }

    pub(super) fn resign(&mut self, prefer: Option<HolderName>, out: &mut Vec<Action>) {
        let Role::Leading(term) = &mut self.role else {
            return;
        };
        self.aim = Aim::Observe;
        // A change that a write under way carries may still land. It is reported as refused all the
        // same.
        out.extend(
            term.changes
                .drain(..)
                .map(|(ticket, _)| Action::Refused { ticket }),
        );
        term.carried = 0;
        let granted = match term.phase {
            Phase::Winning => false,
            Phase::Granted => true,
            Phase::Releasing { granted, .. } => granted,
        };
        term.phase = Phase::Releasing { prefer, granted };
    }

    pub(super) fn advance_term(&mut self, now: Now, out: &mut Vec<Action>) {
        let retry = self.config.timing.retry();
        let deadline = self.config.timing.renew_deadline();
        let Role::Leading(term) = &mut self.role else {
            return;
        };
        if now.time >= term.anchor + deadline {
            // `expire` has ended all other terms before. Only a release that was not confirmed
            // comes here.
            self.lose(LostBecause::ResignedUnheard, out);
            return self.advance_standby(now, out);
        }
        match term.phase {
            // Another candidate may be able to seal the floor.
            Phase::Winning if now.time >= term.won_at + deadline => {
                term.phase = Phase::Releasing {
                    prefer: None,
                    granted: false,
                };
            }
            Phase::Winning | Phase::Granted => {
                if term.floor_at.take_if(|at| *at <= now.time).is_some() {
                    out.push(Action::SealFloor { seal: term.seal });
                }
            }
            Phase::Releasing { .. } => {}
        }
        if self.request.is_some() || now.time < self.pacing.hold_until {
            return;
        }
        self.explain_hint();
        if self.sight == Sight::Stale {
            return self.read_root(out);
        }
        let Role::Leading(term) = &mut self.role else {
            return;
        };
        if let Some(renewal) = &mut term.renewal {
            if let Some((expected, root)) = renewal.repeat(now.time) {
                self.send(expected, root, out);
            }
            return;
        }
        let due = !term.changes.is_empty()
            || matches!(term.phase, Phase::Releasing { .. })
            || now.time >= term.renew_at;
        if due {
            let (root, expected) = (term.next_root(now.wall_text()), Some(term.version.clone()));
            term.renew_at = now.time + retry;
            term.renewal = Some(Attempt::new(
                expected.clone(),
                root.clone(),
                term.vacancy,
                now.time,
            ));
            self.send(expected, root, out);
        }
    }

    /// Ends a term whose deadline has passed, before the event is looked at.
    pub(super) fn expire(&mut self, now: Time, out: &mut Vec<Action>) {
        let deadline = self.config.timing.renew_deadline();
        let Role::Leading(term) = &self.role else {
            return;
        };
        match term.phase {
            Phase::Winning | Phase::Granted if now >= term.anchor + deadline => {
                self.lose(LostBecause::DeadlinePassed, out);
            }
            // A late answer may still confirm the release.
            Phase::Winning | Phase::Granted | Phase::Releasing { .. } => {}
        }
    }

    /// A write of this term is in the root.
    pub(super) fn acknowledged(
        &mut self,
        version: Version,
        root: Root,
        sent: Time,
        out: &mut Vec<Action>,
    ) {
        let retry = self.config.timing.retry();
        let Role::Leading(term) = &mut self.role else {
            return;
        };
        let released = root.state == TermState::Released;
        term.anchor = sent;
        term.renew_at = sent + retry;
        term.version = version;
        term.root = root;
        term.renewal = None;
        let carried = std::mem::take(&mut term.carried);
        out.extend(
            term.changes
                .drain(..carried)
                .map(|(ticket, _)| Action::Changed { ticket }),
        );
        if released {
            self.lose(LostBecause::Resigned, out);
            // The root is known to be what this write made it.
            self.sight = Sight::Current;
        }
    }

    /// What a read means for a leader.
    pub(super) fn term_read(
        &mut self,
        now: Now,
        found: Option<(Version, Root)>,
        out: &mut Vec<Action>,
    ) {
        let Role::Leading(term) = &mut self.role else {
            return;
        };
        let Some((version, root)) = found else {
            return self.lose(LostBecause::RootGone, out);
        };
        if root.seal() != term.seal {
            return self.lose(LostBecause::Superseded(root.epoch), out);
        }
        if let Some(handover) = root.handover.clone() {
            match term.phase {
                Phase::Winning => term.asked = Some(handover.to),
                Phase::Granted => out.push(Action::AskedToResign { to: handover.to }),
                Phase::Releasing { .. } => {}
            }
        }
        // Somebody else wrote it, or an answer was lost. Either may hide that another has led
        // meanwhile, and a person has put this root back. The floor tells.
        if version != term.version {
            term.floor_at = Some(now.time);
        }
        match &mut term.renewal {
            Some(renewal) if renewal.root.seq == root.seq => {
                let (root, sent) = (renewal.root.clone(), renewal.first_sent);
                self.landed(now, version, root, sent, out);
            }
            // Somebody else wrote without a renewal, such as a request for a hand-over: go on from
            // there.
            Some(renewal) if renewal.expected.as_ref() != Some(&version) => {
                term.renewal = None;
                term.carried = 0;
                term.version = version;
                term.renew_at = now.time;
            }
            Some(renewal) => renewal.again = true,
            None => term.version = version,
        }
    }

    pub(super) fn term_wakeup(&self, term: &Term) -> Time {
        let floor = match term.phase {
            Phase::Winning | Phase::Granted => term.floor_at,
            Phase::Releasing { .. } => None,
        };
        let hold_until = self.pacing.hold_until;
        let next = match &term.renewal {
            _ if self.request.is_some() => None,
            _ if self.sight == Sight::Stale => Some(hold_until),
            Some(renewal) => renewal.again.then_some(hold_until),
            None if term.changes.is_empty() && !matches!(term.phase, Phase::Releasing { .. }) => {
                Some(term.renew_at.max(hold_until))
            }
            None => Some(hold_until),
        };
        let end = term.anchor + self.config.timing.renew_deadline();
        [floor, next].into_iter().flatten().fold(end, Time::min)
    }

    /// A record refused a write of this term. At the same epoch it carries another nonce: the root
    /// was lost and counted anew.
    pub(super) fn outranked(&mut self, epoch: Epoch, out: &mut Vec<Action>) {
        if matches!(&self.role, Role::Leading(term) if term.seal.epoch <= epoch) {
            self.lose(LostBecause::Superseded(epoch), out);
        }
    }

    fn lose(&mut self, why: LostBecause, out: &mut Vec<Action>) {
        let Role::Leading(term) = std::mem::replace(&mut self.role, Role::Standby(None)) else {
            return;
        };
        self.sight = Sight::Stale;
        out.extend(
            term.changes
                .iter()
                .map(|(ticket, _)| Action::Refused { ticket: *ticket }),
        );
        let seal = term.seal;
        match term.phase {
            // The application was never told that it leads. The campaign goes on.
            Phase::Winning => {}
            Phase::Granted => {
                self.aim = Aim::Observe;
                out.push(Action::Lost { seal, why });
            }
            // The aim stays as it is: the application may have campaigned again since it resigned.
            Phase::Releasing { granted: true, .. } => out.push(Action::Lost { seal, why }),
            Phase::Releasing { granted: false, .. } => {}
        }
    }
}
