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
//! What is safe does not depend on anything here: see [`write`](mod@crate::write). What is decided
//! here is *when* somebody tries to take over:
//!
//! - nobody has led yet, or the root was **released** by its holder;
//! - the root did not change for the lease found in it, on this node's own clock: **expired**;
//! - its holder was **proven dead** ([`Event::Dead`]).
//!
//! A root that was removed by hand frees nothing by itself: its holder may not know yet, and what
//! it runs takes time to end. So the last two are waited for as if the root were still there.
//!
//! `standby.rs` has the decisions of who follows and waits, `term.rs` those of who leads.

mod action;
mod event;
mod standby;
mod term;
#[cfg(test)]
mod tests;

pub use action::{Action, LostBecause, Vacancy};
pub use event::{Change, Event, FloorAnswer, SwapAnswer};

use std::collections::VecDeque;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::root::{Liveness, Root};
use crate::{Epoch, HolderName, Nonce, Now, Seal, Time, Timing, Version, View, ViewTracker};
use term::Term;

/// How many of its own last versions a leader knows again when it is told of a change.
const OWN_VERSIONS: usize = 8;

/// What does not change while a process takes part.
#[derive(Clone, Debug)]
pub struct Config {
    /// This candidate's name.
    pub holder: HolderName,
    /// Its lease.
    pub timing: Timing,
    /// Where it can be seen to live, if it offers that.
    pub liveness: Option<Liveness>,
    /// A random number of this process, from which the nonces of its terms are counted.
    pub nonces: Nonce,
}

/// The election of one group.
#[derive(Debug)]
pub struct Election {
    config: Config,
    campaigning: bool,
    role: Role,
    /// What the root was when last seen.
    seen: Seen,
    /// The highest epoch known from anywhere.
    ahead: Epoch,
    /// Result of the scan that must precede the creation of a root.
    scanned: bool,
    /// How many terms this process has claimed.
    claims: u128,
    /// The nonce of a holder that was proven dead.
    dead: Option<Nonce>,
    /// The request to the backend that is under way.
    request: Option<Request>,
    /// An unexplained hint.
    hint: Option<Option<Version>>,
    /// The root must be read, whatever was seen.
    stale: bool,
    /// When to look again, although nothing hints at a change.
    poll_at: Time,
    /// After a failure: when the backend may be asked again.
    hold_until: Time,
    backoff: Option<ExponentialBackoff>,
    /// The last write failed. Reads that are answered do not make the next failure of a write the
    /// first.
    unwritten: bool,
    /// The same of the last scan.
    unscanned: bool,
    /// Time of the last step.
    stepped_at: Time,
    own_versions: VecDeque<Version>,
    views: ViewTracker,
}

#[derive(Debug)]
enum Role {
    /// Follows; may have a claim under way.
    Standby(Option<Box<Attempt>>),
    Leading(Box<Term>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Read,
    Scan,
    Swap,
}

#[derive(Debug, Default)]
struct Seen {
    /// False until the first answer.
    known: bool,
    root: Option<(Version, Root)>,
    /// What it was before it was removed by hand.
    removed: Option<Root>,
    /// When its pulse was seen to change.
    changed_at: Time,
}

/// A swap of the root, repeated until its outcome is known.
#[derive(Clone, Debug)]
struct Attempt {
    expected: Option<Version>,
    root: Root,
    vacancy: Vacancy,
    first_sent: Time,
    last_sent: Time,
    unsettled: bool,
    /// Its last answer settled nothing: send it again.
    again: bool,
}

impl Election {
    /// Begins to follow the root. The first step reads it.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            campaigning: false,
            role: Role::Standby(None),
            seen: Seen::default(),
            ahead: Epoch::ZERO,
            scanned: false,
            claims: 0,
            dead: None,
            request: None,
            hint: None,
            stale: true,
            poll_at: Time::default(),
            hold_until: Time::default(),
            backoff: None,
            unwritten: false,
            unscanned: false,
            stepped_at: Time::default(),
            own_versions: VecDeque::with_capacity(OWN_VERSIONS),
            views: ViewTracker::default(),
        }
    }

    /// Takes one event at a time, and says what to do now.
    ///
    /// # Panics
    ///
    /// If an answer comes to a request that is not under way: a bug of the driver.
    pub fn step(&mut self, now: Now, event: Event) -> Vec<Action> {
        self.stepped_at = now.time;
        let mut out = Vec::new();
        // First of all: an answer that waited while this process slept does not prolong a term that
        // ended meanwhile.
        self.expire(now.time, &mut out);
        self.absorb(now, event, &mut out);
        self.advance(now, &mut out);
        out
    }

    /// When [`Event::Tick`] is wanted, if nothing else happens before.
    pub fn wakeup(&self) -> Time {
        match &self.role {
            Role::Leading(term) => self.term_wakeup(term),
            Role::Standby(claim) => self.standby_wakeup(claim.as_deref()),
        }
    }

    /// Who leads, as an observer is told.
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
    pub fn probe_target(&self) -> Option<(&Liveness, Nonce)> {
        let root = self.rival()?;
        root.liveness
            .as_ref()
            .map(|liveness| (liveness, root.nonce))
    }

    /// The root of another's term that stands in the way of a claim, and would not if
    /// [`Event::Dead`] told of its nonce.
    pub fn rival(&self) -> Option<&Root> {
        let present = self.seen.root.as_ref().map(|(_, root)| root);
        let root = present.or(self.seen.removed.as_ref())?;
        let waits = matches!(self.role, Role::Standby(_)) && self.campaigning;
        (waits && !self.is_out_of_the_way(root)).then_some(root)
    }

    /// Whether the holder of this root has given up, is this process, or is dead.
    fn is_out_of_the_way(&self, root: &Root) -> bool {
        root.state == crate::root::State::Released
            || self.is_own(root.nonce)
            || self.dead == Some(root.nonce)
    }

    /// The term that this process claims or leads, which its own liveness endpoint must say.
    pub fn claimed(&self) -> Option<Seal> {
        match &self.role {
            Role::Standby(claim) => claim.as_ref().map(|claim| claim.root.seal()),
            Role::Leading(term) => Some(term.seal),
        }
    }

    /// Where this process can be seen to live while it leads. Counts from its next claim on.
    pub fn offer_liveness(&mut self, liveness: Option<Liveness>) {
        self.config.liveness = liveness;
    }

    /// The highest epoch known from anywhere.
    pub fn highest_epoch(&self) -> Epoch {
        self.ahead
    }

    fn absorb(&mut self, now: Now, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Tick => {}
            Event::Campaign => self.campaigning = true,
            Event::Abstain => self.abstain(out),
            Event::Change { ticket, change } => self.change(ticket, change, out),
            Event::Resign { prefer } => self.resign(prefer, out),
            Event::Hint { version } => self.hint = Some(version),
            Event::Dead { nonce } => self.dead = Some(nonce),
            Event::SealSeen { epoch } => {
                self.ahead = self.ahead.max(epoch);
                self.outranked(epoch, out);
            }
            Event::RootRead { root } => {
                self.answered(Request::Read);
                self.heard(now.time);
                let root = root.map(|(version, root)| (version, *root));
                self.observe(now.time, root.clone());
                match self.role {
                    Role::Standby(_) => self.standby_read(now, root, out),
                    Role::Leading(_) => self.term_read(now, root, out),
                }
            }
            Event::RootUnread => {
                self.answered(Request::Read);
                self.stale = true;
                self.hold(now.time);
            }
            Event::RootSwapped(answer) => {
                self.answered(Request::Swap);
                self.swapped(now, answer, out);
            }
            Event::SealsScanned { highest } => {
                self.answered(Request::Scan);
                self.unscanned = false;
                self.heard(now.time);
                self.ahead = self.ahead.max(highest);
                self.scanned = true;
            }
            Event::SealsUnread => {
                self.answered(Request::Scan);
                self.unscanned = true;
                self.stale = true;
                self.hold(now.time);
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

    /// Notes what the root is. The lease counts from when a change is seen, so a stale read only
    /// delays.
    fn observe(&mut self, now: Time, root: Option<(Version, Root)>) {
        let pulse = |root: &Option<(Version, Root)>| root.as_ref().map(|(_, root)| root.pulse());
        if !self.seen.known || pulse(&self.seen.root) != pulse(&root) {
            self.seen.changed_at = now;
        }
        if let Some((_, root)) = &root {
            self.ahead = self.ahead.max(root.epoch);
            (self.scanned, self.unscanned) = (false, false);
        }
        self.seen.known = true;
        let before = std::mem::replace(&mut self.seen.root, root);
        match (&self.seen.root, before) {
            (Some(_), _) => self.seen.removed = None,
            (None, Some((_, before))) => self.seen.removed = Some(before),
            (None, None) => {}
        }
    }

    fn swapped(&mut self, now: Now, answer: SwapAnswer, out: &mut Vec<Action>) {
        self.unwritten = matches!(answer, SwapAnswer::NotApplied | SwapAnswer::Unknown);
        let attempt = match &mut self.role {
            Role::Standby(claim) => claim.as_deref_mut(),
            Role::Leading(term) => term.renewal.as_mut(),
        };
        let Some(attempt) = attempt else {
            // The term ended while its last request was under way.
            self.stale = true;
            return;
        };
        match answer {
            SwapAnswer::Committed(version) => {
                // The last repetition is the one that landed: any earlier one would have refused
                // it.
                let (root, sent) = (attempt.root.clone(), attempt.last_sent);
                self.heard(now.time);
                self.landed(now, version, root, sent, out);
            }
            SwapAnswer::Conflict => {
                self.heard(now.time);
                self.stale = true;
            }
            SwapAnswer::NotApplied | SwapAnswer::Unknown => {
                attempt.unsettled |= answer == SwapAnswer::Unknown;
                attempt.again = true;
                let unsettled = attempt.unsettled;
                self.hold(now.time);
                if let Role::Standby(claim) = &mut self.role
                    && !unsettled
                {
                    *claim = None;
                    self.stale = true;
                }
            }
        }
    }

    /// A swap of this process is in the root; the request that did it was sent at `sent` or later.
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
        self.stale = false;
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
        self.stale = false;
        out.push(Action::ReadRoot);
    }

    fn answered(&mut self, request: Request) {
        assert_eq!(
            self.request.take(),
            Some(request),
            "an answer belongs to the request under way"
        );
    }

    /// The backend answered: failures before this do not count any more, unless writes or scans
    /// fail and reads do not, and polling starts anew.
    fn heard(&mut self, now: Time) {
        if !self.unwritten && !self.unscanned {
            self.backoff = None;
        }
        self.hold_until = Time::default();
        self.poll_at = now + self.config.timing.retry();
    }

    /// The backend failed: it is left alone for a twentieth of the retry period, after more
    /// failures for up to all of it.
    fn hold(&mut self, now: Time) {
        let retry = self.config.timing.retry();
        let builder = ExponentialBuilder::new()
            .with_min_delay(retry / 20)
            .with_max_delay(retry)
            .without_max_times();
        let pause = self
            .backoff
            .get_or_insert_with(|| builder.build())
            .next()
            .unwrap_or(retry);
        self.hold_until = now + pause;
    }

    /// Whether a nonce is of a term of this very process.
    fn is_own(&self, nonce: Nonce) -> bool {
        // Few terms are claimed in the life of a process, and this is asked seldom; the arithmetic
        // beats a growing list.
        nonce
            .distance_from(self.config.nonces)
            .is_some_and(|n| n <= self.claims)
    }

    fn granted(&self) -> Option<&Term> {
        match &self.role {
            Role::Leading(term) if term.is_granted() => Some(term),
            Role::Leading(_) | Role::Standby(_) => None,
        }
    }
}

impl Attempt {
    fn new(expected: Option<Version>, root: Root, vacancy: Vacancy, now: Time) -> Self {
        Self {
            expected,
            root,
            vacancy,
            first_sent: now,
            last_sent: now,
            unsettled: false,
            again: false,
        }
    }

    /// The same swap once more, if its last answer settled nothing.
    fn repeat(&mut self, now: Time) -> Option<(Option<Version>, Root)> {
        std::mem::take(&mut self.again).then(|| {
            self.last_sent = now;
            (self.expected.clone(), self.root.clone())
        })
    }
}
