//! [`Pace`]: how the sources of all ranks keep up with each other in the time of the dataflow.

use std::time::{Duration, Instant};

use timely::worker::Worker;

use super::Control;
use super::gossip::Gossip;
use super::report::now;
use crate::rounds::Time;

/// How often a rank says how far its sources are, at most. A watermark, and what waits for room in
/// the window, may wait for as long as this if a source elsewhere is idle.
const SAY_EVERY: Duration = Duration::from_millis(5);

/// Ticks are labels, and the frontier is the least of all sources': one that is idle, or has ended,
/// or takes larger steps, would hold all others up. So each says how far it is, and those that are
/// behind within the same round jump ahead.
pub(crate) struct Pace {
    /// `None` if there are no others.
    gossip: Option<Gossip<u64>>,
    ahead: Time,
    said: Time,
    said_at: Instant,
}

impl Pace {
    pub(crate) fn new(worker: &mut Worker, tasks: u32) -> Self {
        Self {
            gossip: (tasks > 1).then(|| Gossip::new(worker, "pace")),
            ahead: Time::default(),
            said: Time::default(),
            said_at: now(),
        }
    }

    /// Lets the sources of this rank keep up, and says how far they are when it is time.
    pub(crate) fn keep(&mut self, control: &Control) {
        let heard = self.gossip.as_ref().map(Gossip::heard).unwrap_or_default();
        let mut sources = control.sources.borrow_mut();
        let own = sources.iter().map(|source| source.time()).max();
        let heard = heard.into_iter().map(Time).max();
        self.ahead = self.ahead.max(own.max(heard).unwrap_or_default());
        // Where they stand, those of all ranks are full sooner or later.
        if !control.is_held_up.get() {
            for source in sources.iter_mut() {
                source.keep_up(self.ahead);
            }
        }
        if self.is_due()
            && let Some(gossip) = &mut self.gossip
        {
            (self.said, self.said_at) = (self.ahead, now());
            gossip.say(self.ahead.0);
        }
    }

    fn is_due(&self) -> bool {
        self.said < self.ahead && self.said_at.elapsed() >= SAY_EVERY
    }

    /// How long the worker may sleep before something must be said.
    pub(crate) fn rest(&self) -> Option<Duration> {
        let has_news = self.gossip.is_some() && self.said < self.ahead;
        has_news.then(|| SAY_EVERY.saturating_sub(self.said_at.elapsed()))
    }
}
