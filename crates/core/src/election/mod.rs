//! The election of one group, as one process sees it: events and a time in, actions out.
//!
//! One value of [`Election`] follows the group's root record, and when asked to campaigns, leads
//! and resigns. It has at most one request to the root under way, so its own requests never
//! conflict with each other.
//!
//! ```text
//!             campaign              swap of the root         floor sealed
//!   following ─────────► waiting ─────────────────► winning ──────────────► leading
//!       ▲                   ▲      root is free                                │
//!       └───────────────────┴──────────────────────────────────────────────────┘
//!                  lost: superseded, deadline passed, root gone; or resigned
//! ```
//!
//! Safety does not depend on anything here: see [`write`](mod@crate::write). This module decides
//! *when* a process tries to take over:
//!
//! - nobody has led yet, or the root was **released** by its holder;
//! - the root did not change for the lease found in it, on this node's own clock: **expired**;
//! - its holder was **proven dead** ([`Event::Dead`]).
//!
//! A root that a person removed, or replaced by an older one, frees nothing by itself: the holder
//! of the newest term may not know yet, and what it runs takes time to end. Standbys treat a
//! removed root as if it were still there. They leave a root below the highest known epoch alone
//! for one lease, however free it looks.
//!
//! A leader may also find its own root put back after another has led. So a leader that finds its
//! root at a version which no answer has named seals the floor again, and stops if that is refused.
//!
//! `standby.rs` has the decisions of a process that follows and waits, `term.rs` those of a leader.

mod action;
mod attempt;
mod event;
mod pacing;
mod seen;
mod standby;
mod term;
#[cfg(test)]
mod tests;

pub use action::{Action, LostBecause, Vacancy};
pub use event::{Change, Event, FloorAnswer, SwapAnswer};

use std::collections::VecDeque;

use crate::root::{LivenessAddress, Root, TermState};
use crate::{Epoch, HolderName, Nonce, Now, Seal, Time, Timing, Version, View, ViewTracker};
use attempt::Attempt;
use pacing::Pacing;
use seen::Seen;
use term::Term;

/// How many of its own last versions a leader recognizes in a hint.
const OWN_VERSIONS: usize = 8;

/// What does not change while a process takes part.
#[derive(Clone, Debug)]
pub struct Config {
    /// This candidate's name.
    pub holder: HolderName,
    /// Its lease.
    pub timing: Timing,
    /// Where it can be seen to live, if it offers that.
    pub liveness: Option<LivenessAddress>,
    /// A random number of this process, from which the nonces of its terms are counted.
    pub nonces: Nonce,
}

/// The election of one group.
#[derive(Debug)]
pub struct Election {
    config: Config,
    aim: Aim,
    role: Role,
    /// What the root was when last seen.
    seen: Seen,
    sight: Sight,
    /// The highest epoch known from anywhere.
    ahead: Epoch,
    scan: Scan,
    /// How many terms this process has claimed.
    claims: u128,
    /// The nonce of a holder that was proven dead.
    dead: Option<Nonce>,
    /// The request to the backend that is under way.
    request: Option<Request>,
    /// A hint that was not looked at yet.
    hint: Option<Hint>,
    pacing: Pacing,
    /// Time of the last step.
    stepped_at: Time,
    own_versions: VecDeque<Version>,
    views: ViewTracker,
}

/// What the application wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    Observe,
    Lead,
}

/// Whether decisions may rest on what was seen of the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    Current,
    /// The root must be read first.
    Stale,
}

/// The look at all seals that must precede the creation of a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scan {
    Needed,
    Done,
}

/// A watch says that the root has changed.
#[derive(Debug)]
struct Hint {
    /// To this version, if known.
    version: Option<Version>,
}

#[derive(Debug)]
enum Role {
    /// Follows; may have a claim under way.
    Standby(Option<Box<Attempt>>),
    Leading(Box<Term>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Request {
    Read,
    Scan,
    Swap,
}

impl Election {
    /// Begins to follow the root. The first step reads it.
    pub fn new(config: Config) -> Self {
        let pacing = Pacing::new(config.timing.retry(), config.nonces);
        Self {
            config,
            aim: Aim::Observe,
            role: Role::Standby(None),
            seen: Seen::default(),
            sight: Sight::Stale,
            ahead: Epoch::ZERO,
            scan: Scan::Needed,
            claims: 0,
            dead: None,
            request: None,
            hint: None,
            pacing,
            stepped_at: Time::default(),
            own_versions: VecDeque::with_capacity(OWN_VERSIONS),
            views: ViewTracker::default(),
        }
    }

    /// Takes one event and returns what to do now.
    ///
    /// # Panics
    ///
    /// If an answer comes to a request that is not under way: a bug of the driver.
    pub fn step(&mut self, now: Now, event: Event) -> Vec<Action> {
        self.stepped_at = now.time;
        let mut out = Vec::new();
        // First, because an answer that waited while this process slept must not prolong a term
        // that ended meanwhile.
        self.expire(now.time, &mut out);
        self.absorb(now, event, &mut out);
        self.seen.compare(self.ahead, now.time);
        self.advance(now, &mut out);
        out
    }

    /// When to send [`Event::Tick`], unless another event comes first.
    pub fn wakeup(&self) -> Time {
        match &self.role {
            Role::Leading(term) => self.term_wakeup(term),
            Role::Standby(claim) => self.standby_wakeup(claim.as_deref()),
        }
    }

    /// Who leads, as observers see it.
    pub fn view(&mut self, now: Time) -> View {
        let silent = self.is_silent(now);
        self.views
            .view(self.seen.root.as_ref().map(|(_, root)| root), silent)
    }

    /// Until when this process may take work as the leader; `None` if it does not lead.
    pub fn valid_until(&self) -> Option<Time> {
        let term = self.granted()?;
        Some(term.anchor + self.config.timing.renew_deadline())
    }

    /// When everything that this process still runs as the leader must have ended; `None` if it
    /// does not lead.
    pub fn hard_until(&self) -> Option<Time> {
        let term = self.granted()?;
        Some(term.anchor + self.config.timing.hard_deadline())
    }

    /// Whether anything is known of the root yet: before that, nobody leading means nothing.
    pub fn is_informed(&self) -> bool {
        self.seen.known
    }

    /// The endpoint by which the present holder could be proven dead, and the nonce that it must
    /// say there.
    pub fn probe_target(&self) -> Option<(&LivenessAddress, Nonce)> {
        let root = self.rival()?;
        root.liveness
            .as_ref()
            .map(|liveness| (liveness, root.nonce))
    }

    /// The root of another process's term that stands in the way of a claim. [`Event::Dead`] with
    /// its nonce removes it from the way.
    pub fn rival(&self) -> Option<&Root> {
        let present = self.seen.root.as_ref().map(|(_, root)| root);
        let root = present.or(self.seen.removed.as_ref())?;
        let waits = matches!(self.role, Role::Standby(_)) && self.aim == Aim::Lead;
        (waits && !self.is_out_of_the_way(root)).then_some(root)
    }

    /// Whether the holder of this root has given up, is this process, or is dead.
    fn is_out_of_the_way(&self, root: &Root) -> bool {
        root.state == TermState::Released
            || self.is_own(root.nonce)
            || self.dead == Some(root.nonce)
    }

    /// The term that this process claims or leads. Its own liveness endpoint must name it.
    pub fn claimed(&self) -> Option<Seal> {
        match &self.role {
            Role::Standby(claim) => claim.as_ref().map(|claim| claim.root.seal()),
            Role::Leading(term) => Some(term.seal),
        }
    }

    /// Where this process can be seen to live while it leads. Counts from its next claim on.
    pub fn offer_liveness(&mut self, liveness: Option<LivenessAddress>) {
        self.config.liveness = liveness;
    }

    /// The highest epoch known from anywhere.
    pub fn highest_epoch(&self) -> Epoch {
        self.ahead
    }

    fn absorb(&mut self, now: Now, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Tick => {}
            Event::Campaign => self.aim = Aim::Lead,
            Event::Abstain => self.abstain(out),
            Event::Change { ticket, change } => self.change(ticket, change, out),
            Event::Resign { prefer } => self.resign(prefer, out),
            Event::Hint { version } => self.hint = Some(Hint { version }),
            Event::Dead { nonce } => self.dead = Some(nonce),
            Event::SealSeen { epoch } => {
                self.ahead = self.ahead.max(epoch);
                self.outranked(epoch, out);
            }
            Event::RootRead { root } => {
                self.finish(Request::Read);
                self.pacing.answered(Request::Read, now.time);
                let root = root.map(|(version, root)| (version, *root));
                self.observe(now.time, root.clone());
                match self.role {
                    Role::Standby(_) => self.standby_read(now, root, out),
                    Role::Leading(_) => self.term_read(now, root, out),
                }
            }
            Event::RootUnread => {
                self.finish(Request::Read);
                self.sight = Sight::Stale;
                self.pacing.failed(Request::Read, now.time);
            }
            Event::RootSwapped(answer) => {
                self.finish(Request::Swap);
                self.swapped(now, answer, out);
            }
            Event::SealsScanned { highest } => {
                self.finish(Request::Scan);
                self.pacing.answered(Request::Scan, now.time);
                self.ahead = self.ahead.max(highest);
                self.scan = Scan::Done;
            }
            Event::SealsUnread => {
                self.finish(Request::Scan);
                self.sight = Sight::Stale;
                self.pacing.failed(Request::Scan, now.time);
            }
            Event::Floor { seal, answer } => self.floor(now, seal, answer, out),
        }
    }

    fn advance(&mut self, now: Now, out: &mut Vec<Action>) {
        match self.role {
            Role::Standby(_) => self.advance_standby(now, out),
            Role::Leading(_) => self.advance_term(now, out),
        }
    }

    /// Notes what the root is.
    fn observe(&mut self, now: Time, root: Option<(Version, Root)>) {
        if let Some((_, root)) = &root {
            self.ahead = self.ahead.max(root.epoch);
            self.scan = Scan::Needed;
            self.pacing.forget(Request::Scan);
        }
        self.seen.observe(now, root);
    }

    fn swapped(&mut self, now: Now, answer: SwapAnswer, out: &mut Vec<Action>) {
        match answer {
            SwapAnswer::Committed(_) | SwapAnswer::Conflict => {
                self.pacing.answered(Request::Swap, now.time);
            }
            SwapAnswer::NotApplied | SwapAnswer::Unknown => {
                self.pacing.failed(Request::Swap, now.time);
            }
        }
        let attempt = match &mut self.role {
            Role::Standby(claim) => claim.as_deref_mut(),
            Role::Leading(term) => term.renewal.as_mut(),
        };
        let Some(attempt) = attempt else {
            // The term ended while its last request was under way.
            self.sight = Sight::Stale;
            return;
        };
        match answer {
            SwapAnswer::Committed(version) => {
                // The last repetition is the one that landed: any earlier one would have refused
                // it.
                let (root, sent) = (attempt.root.clone(), attempt.last_sent);
                self.landed(now, version, root, sent, out);
            }
            SwapAnswer::Conflict => self.sight = Sight::Stale,
            SwapAnswer::NotApplied | SwapAnswer::Unknown => {
                attempt.unsettled |= answer == SwapAnswer::Unknown;
                attempt.again = true;
                let unsettled = attempt.unsettled;
                if let Role::Standby(claim) = &mut self.role
                    && !unsettled
                {
                    *claim = None;
                    self.sight = Sight::Stale;
                }
            }
        }
    }

    /// A swap of this process is in the root. Its request was sent at `sent` or later.
    fn landed(
        &mut self,
        now: Now,
        version: Version,
        root: Root,
        sent: Time,
        out: &mut Vec<Action>,
    ) {
        if self.own_versions.len() == OWN_VERSIONS {
            self.own_versions.pop_front();
        }
        self.own_versions.push_back(version.clone());
        self.sight = Sight::Current;
        self.observe(now.time, Some((version.clone(), root.clone())));
        match self.role {
            Role::Standby(Some(ref claim)) => {
                let vacancy = claim.vacancy;
                self.win(version, root, vacancy, sent, out);
            }
            Role::Standby(None) => {}
            Role::Leading(_) => self.acknowledged(version, root, sent, out),
        }
    }

    fn send(&mut self, expected: Option<Version>, root: Root, out: &mut Vec<Action>) {
        self.request = Some(Request::Swap);
        out.push(Action::SwapRoot {
            expected,
            root: Box::new(root),
        });
    }

    fn read_root(&mut self, out: &mut Vec<Action>) {
        self.request = Some(Request::Read);
        self.sight = Sight::Current;
        out.push(Action::ReadRoot);
    }

    fn finish(&mut self, request: Request) {
        assert_eq!(
            self.request.take(),
            Some(request),
            "an answer belongs to the request under way"
        );
    }

    /// Whether a nonce belongs to a term of this process.
    fn is_own(&self, nonce: Nonce) -> bool {
        // The nonces of a process are numbered, so no list of them has to be kept.
        nonce
            .distance_from(self.config.nonces)
            .is_some_and(|n| n <= self.claims)
    }

    /// Whether a nonce belongs to the last term that this process has claimed.
    fn is_last_claim(&self, nonce: Nonce) -> bool {
        nonce == self.config.nonces.nth(self.claims)
    }

    fn granted(&self) -> Option<&Term> {
        match &self.role {
            Role::Leading(term) if term.is_granted() => Some(term),
            Role::Leading(_) | Role::Standby(_) => None,
        }
    }
}
