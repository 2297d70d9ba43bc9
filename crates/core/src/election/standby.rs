//! A process that follows and waits: when may it try to take over?

use std::time::Duration;

use super::attempt::Attempt;
use super::{Action, Aim, Election, Request, Role, Scan, Sight, Vacancy};
use crate::root::{Root, TermState};
use crate::{Epoch, Now, Seal, Time, Version};

impl Election {
    /// The application no longer wants to lead.
    pub(super) fn abstain(&mut self, out: &mut Vec<Action>) {
        self.aim = Aim::Observe;
        match &self.role {
            // An unsettled claim may have won. A read shows it; if so, the term is given up.
            Role::Standby(Some(_)) => self.sight = Sight::Stale,
            Role::Standby(None) => {}
            Role::Leading(_) => self.resign(None, out),
        }
    }

    pub(super) fn advance_standby(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.request.is_some() || now.time < self.pacing.hold_until {
            return;
        }
        self.explain_hint();
        if self.sight == Sight::Stale || now.time >= self.pacing.poll_at {
            return self.read_root(out);
        }
        let (free_at, vacancy) = self.free_at();
        let is_free = self.aim == Aim::Lead && free_at <= now.time;
        match &mut self.role {
            Role::Standby(Some(claim)) => {
                if let Some((expected, root)) = claim.repeat(now.time) {
                    self.send(expected, root, out);
                }
            }
            Role::Standby(None) if is_free => self.claim(now, vacancy, out),
            Role::Standby(None) | Role::Leading(_) => {}
        }
    }

    /// What a read means for a claim whose outcome is unknown.
    pub(super) fn standby_read(
        &mut self,
        now: Now,
        found: Option<(Version, Root)>,
        out: &mut Vec<Action>,
    ) {
        let Role::Standby(slot) = &mut self.role else {
            return;
        };
        let Some(claim) = slot.as_mut() else { return };
        match found {
            Some((version, root)) if root.seal() == claim.root.seal() => {
                // Any of the repetitions may have landed: count from the first.
                let sent = claim.first_sent;
                self.landed(now, version, root, sent, out);
            }
            found
                if self.aim == Aim::Lead
                    && claim.unsettled
                    && found.as_ref().map(|(v, _)| v) == claim.expected.as_ref() =>
            {
                // It may still land. Repeating the same swap settles it.
                claim.again = true;
            }
            _ => *slot = None,
        }
    }

    pub(super) fn standby_wakeup(&self, claim: Option<&Attempt>) -> Time {
        let never = Time::from_origin(Duration::MAX);
        let silent = self.silent_at().unwrap_or(never);
        if self.request.is_some() {
            // The driver answers every request in time.
            return silent;
        }
        let due = match claim {
            _ if self.sight == Sight::Stale => Time::default(),
            Some(claim) if claim.again => Time::default(),
            None if self.aim == Aim::Lead => self.free_at().0.min(self.pacing.poll_at),
            Some(_) | None => self.pacing.poll_at,
        };
        due.max(self.pacing.hold_until).min(silent)
    }

    /// Whether observers should see no leader although there is a root.
    pub(super) fn is_silent(&self, now: Time) -> bool {
        let Some((_, root)) = &self.seen.root else {
            return false;
        };
        match &self.role {
            Role::Leading(term) => term.seal != root.seal(),
            Role::Standby(_) => {
                self.is_own(root.nonce)
                    || self.dead == Some(root.nonce)
                    || now >= self.seen.changed_at + root.lease()
            }
        }
    }

    /// When the view will change because the root does not change. `None` if that moment has
    /// passed.
    fn silent_at(&self) -> Option<Time> {
        let (_, root) = self.seen.root.as_ref()?;
        Some(self.seen.changed_at + root.lease()).filter(|at| *at > self.stepped_at)
    }

    /// Marks what was seen as stale if a hint names something else.
    pub(super) fn explain_hint(&mut self) {
        let Some(hint) = self.hint.take() else { return };
        let seen = self.seen.root.as_ref().map(|(version, _)| version);
        let is_known = hint
            .version
            .is_some_and(|version| seen == Some(&version) || self.own_versions.contains(&version));
        if !is_known {
            self.sight = Sight::Stale;
        }
    }

    /// When a candidate may claim the root that was seen, and why then.
    fn free_at(&self) -> (Time, Vacancy) {
        let Some((_, root)) = &self.seen.root else {
            return (self.absent_until(), Vacancy::Absent);
        };
        let (free_at, vacancy) = self.root_free_at(root);
        match self.seen.below_since {
            // This process has just claimed it, below the floor.
            Some(_) if self.is_last_claim(root.nonce) => (free_at, vacancy),
            // Either the root was put back by hand, or what was seen of it is old. The holder of
            // the higher epoch may not know that its root is gone, so it gets a lease to notice.
            Some(since) => (free_at.max(since + root.lease()), vacancy),
            None => (free_at, vacancy),
        }
    }

    /// The same, if this root has the highest known epoch.
    fn root_free_at(&self, root: &Root) -> (Time, Vacancy) {
        let changed_at = self.seen.changed_at;
        let others_first = match &root.preferred {
            Some(preferred) => *preferred != self.config.holder,
            // A process that gave up lets others go first. Otherwise it would hand over to itself.
            None => self.is_own(root.nonce),
        };
        match root.state {
            TermState::Released if others_first => (
                changed_at + self.config.timing.retry() * 6 / 5,
                Vacancy::Released,
            ),
            TermState::Released => (Time::default(), Vacancy::Released),
            _ if self.is_own(root.nonce) => (Time::default(), Vacancy::Own),
            _ if self.dead == Some(root.nonce) => (Time::default(), Vacancy::ProvenDead),
            TermState::Activating | TermState::Active => {
                (changed_at + root.lease(), Vacancy::Expired)
            }
        }
    }

    /// When a root may be created: at once if nobody has led. If a root was removed by hand, its
    /// holder is waited for.
    fn absent_until(&self) -> Time {
        match &self.seen.removed {
            Some(root) if self.is_out_of_the_way(root) => Time::default(),
            Some(root) => self.seen.changed_at + root.lease(),
            // The root was removed before this process first read it, and the seals of records show
            // that somebody led.
            None if self.ahead > Epoch::ZERO => self.seen.changed_at + self.config.timing.lease(),
            None => Time::default(),
        }
    }

    fn claim(&mut self, now: Now, vacancy: Vacancy, out: &mut Vec<Action>) {
        if self.seen.root.is_none() && self.scan == Scan::Needed {
            // The root may have been deleted by hand. The seals of the records remember how far the
            // epochs had come.
            self.request = Some(Request::Scan);
            out.push(Action::ScanSeals);
            return;
        }
        self.claims += 1;
        let seal = Seal {
            epoch: self.ahead.next(),
            nonce: self.config.nonces.nth(self.claims),
        };
        let (holder, liveness) = (self.config.holder.clone(), self.config.liveness.clone());
        let root = Root::begin(
            seal,
            holder,
            liveness,
            self.config.timing.lease(),
            now.wall_text(),
        );
        let expected = self.seen.root.as_ref().map(|(version, _)| version.clone());
        self.role = Role::Standby(Some(Box::new(Attempt::new(
            expected.clone(),
            root.clone(),
            vacancy,
            now.time,
        ))));
        self.send(expected, root, out);
    }
}
