//! What to do with one request next: [`Route`]. Pure: it is told how much time has passed, who
//! leads, and how attempts failed.
//!
//! ```text
//!              ┌──────── nobody to ask ────────► Hold ──── the view changed, or it is time ───┐
//!   next() ────┼──────── somebody leads ───────► Forward ── failed(): may it be sent again? ──┼──► next()
//!              └──────── no time, not safe ────► Refuse                                       │
//! ```

use std::time::Duration;

use incumbent::Seal;

use crate::decide::repeat::{self, Fate, Kept, Once};

/// How often one request is sent at most to nodes that may process it. A request that ends the
/// process that gets it must not end all of them in turn.
pub const MOST_SENT: u32 = 4;
/// How long the same leader is left alone after a request to it broke off, doubled each time. Long
/// enough for a process that is being ended to refuse connections, short enough to go unnoticed.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);
/// How long a leader that is not ready yet is left alone at most, doubled from that pause.
const LONGEST_UNREADY: Duration = Duration::from_millis(500);
/// When a leader that said that it does not lead is asked again, if it still leads by all that is
/// known; doubled up to the last. Soon, since a node may say that it leads a moment before it knows
/// so itself; and it may have been late with a renewal, and just so have gone on.
const FIRST_ASKED_AGAIN: Duration = Duration::from_millis(250);
pub(crate) const LAST_ASKED_AGAIN: Duration = Duration::from_secs(5);

/// What is known of the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Nobody leads.
    Nobody,
    /// The gateway cannot read who leads.
    Unreadable,
    /// Somebody leads, but has not published what is looked for.
    Unpublished(Seal),
    /// Somebody leads, but cannot be connected to. Somebody else keeps trying, and the view changes
    /// when it works.
    Away(Seal),
    /// The leader of this view has said that its term is over.
    Over(Seal),
    /// Somebody leads who has just appeared, and gets as many requests as it can take at first.
    Starting(Seal),
    /// Somebody leads and can be asked.
    Ready(Seal),
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send it to the leader of this term; over a new connection if `fresh`.
    Forward {
        /// The term.
        seal: Seal,
        /// Whether a connection that was used before will not do.
        fresh: bool,
    },
    /// Ask again when the view has changed, at this time at the latest.
    Hold {
        /// Counted as what `next` is told.
        until: Duration,
    },
    /// Answer with a problem.
    Refuse(Refusal),
}

/// How an attempt ended without an answer to pass on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection, or it was closed before the request began.
    NotSent,
    /// The node said that it does not lead, and did nothing.
    Misdirected,
    /// The node said that its term ended while it worked.
    Ended,
    /// The node said that it is not ready yet.
    Unready,
    /// The connection ended after the request, or a part of it, was sent.
    Broken {
        /// Whether the connection was used before: then it was likely closed while idle, and says
        /// nothing about the node.
        reused: bool,
    },
    /// Somebody else leads by now, and this one has not answered.
    Overtaken,
    /// No answer in time.
    Slow,
    /// No answer, and the gateway ends.
    Closing,
}

/// Why a request is not answered by the leader. Each is one problem for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Held as long as it may be, and nobody led.
    NobodyLeads,
    /// Held as long as it may be, and the gateway could not read who leads.
    Unreadable,
    /// Held as long as it may be, and the leader did not publish the endpoint.
    Unpublished,
    /// Held as long as it may be, and the leader was not reached.
    Unreachable,
    /// Held as long as it may be, and no leader felt responsible.
    Misdirected,
    /// It was not processed, but the beginning of its body is gone.
    NotKept,
    /// Held as long as it may be, and the leader had too many others to answer at first.
    Starting,
    /// It was sent and not answered; it may have been carried out, and cannot be sent again.
    Lost,
    /// It was sent and not answered. It could have been sent again, but the time was over before
    /// anybody could be asked.
    OutOfTime,
    /// It was sent as often as it may be.
    TooOften,
    /// No answer in time; it may still be carried out.
    Slow,
    /// No answer before the gateway ended; it may still be carried out.
    Closing,
}

/// One request on its way.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    is_safe: bool,
    longest_hold: Duration,
    /// How long it was held before.
    held: Duration,
    /// Since when it is held, if it is.
    held_since: Option<Duration>,
    /// How often it was sent, or may have been.
    sent: u32,
    /// How often it was sent and may have been carried out.
    may_be_done: u32,
    /// The term that is not asked any more by this request.
    avoid: Option<Seal>,
    /// The term that is not asked before this time, and why.
    pause: Option<(Seal, Duration, Refusal)>,
    /// How often the leader of this term said that it does not lead.
    denied: Option<(Seal, u32)>,
    /// How often a leader said that it is not ready.
    unready: u32,
    fresh: bool,
}

impl Route {
    /// The way of a request that may be held this long, and may be repeated or not.
    pub(crate) fn new(is_safe: bool, longest_hold: Duration) -> Self {
        Self {
            is_safe,
            longest_hold,
            held: Duration::ZERO,
            held_since: None,
            sent: 0,
            may_be_done: 0,
            avoid: None,
            pause: None,
            denied: None,
            unready: 0,
            fresh: false,
        }
    }

    /// Whether it may be carried out twice without harm.
    pub(crate) fn is_safe(&self) -> bool {
        self.is_safe
    }

    /// How often it was sent, or may have been.
    pub(crate) fn sent(&self) -> u32 {
        self.sent
    }

    /// Whether it may be sent once more while the fate of this attempt is unknown.
    pub(crate) fn may_repeat(&self, kept: Kept) -> bool {
        self.may_be_done < MOST_SENT && repeat::again(self.is_safe, Fate::Unknown, kept).is_ok()
    }

    /// Whether it can be held and sent once more to a leader that says that it is not ready yet. If
    /// not, what that said is the answer.
    pub(crate) fn may_wait(&self, kept: Kept) -> bool {
        let is_time = self.held.saturating_add(self.unready_pause()) < self.longest_hold;
        is_time && repeat::again(self.is_safe, Fate::Unknown, kept).is_ok()
    }

    fn unready_pause(&self) -> Duration {
        let factor = 2_u32.saturating_pow(self.unready);
        PAUSE.saturating_mul(factor).min(LONGEST_UNREADY)
    }

    /// What to do `at` this time since the request came, seeing this.
    pub(crate) fn next(&mut self, at: Duration, sight: Sight) -> Step {
        let (why, pause) = match sight {
            Sight::Ready(seal) if self.avoid == Some(seal) => (Refusal::Misdirected, None),
            Sight::Ready(seal) => match self.pause {
                Some((paused, until, why)) if paused == seal && at < until => (why, Some(until)),
                Some(_) | None => {
                    let held = self.held_since.take();
                    let held = held.map_or(Duration::ZERO, |since| at.saturating_sub(since));
                    self.held = self.held.saturating_add(held);
                    let fresh = self.fresh;
                    return Step::Forward { seal, fresh };
                }
            },
            Sight::Nobody => (Refusal::NobodyLeads, None),
            Sight::Unreadable => (Refusal::Unreadable, None),
            Sight::Unpublished(_) => (Refusal::Unpublished, None),
            Sight::Away(_) => (Refusal::Unreachable, None),
            Sight::Over(_) => (Refusal::Misdirected, None),
            Sight::Starting(_) => (Refusal::Starting, None),
        };
        let since = *self.held_since.get_or_insert(at);
        let end = since.saturating_add(self.longest_hold.saturating_sub(self.held));
        if at < end {
            return Step::Hold {
                until: pause.map_or(end, |pause| pause.min(end)),
            };
        }
        // A client that is told that nobody leads concludes that nothing was done.
        Step::Refuse(self.unless_done(why))
    }

    /// Why the request is not answered, given that it could not be sent for this reason: an earlier
    /// attempt may have been carried out, and then that is what the client has to know.
    pub(crate) fn unless_done<R: From<Refusal>>(&self, why: R) -> R {
        if self.may_be_done > 0 {
            // Only what can be sent again is still here.
            Refusal::OutOfTime.into()
        } else {
            why
        }
    }

    /// Notes how the attempt with the leader of this term ended `at` this time, and whether its
    /// body can be sent again.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: it is not sent again.
    pub(crate) fn failed(
        &mut self,
        at: Duration,
        seal: Seal,
        how: Failure,
        kept: Kept,
    ) -> Result<(), Refusal> {
        let fate = match how {
            Failure::NotSent | Failure::Misdirected => Fate::NotProcessed,
            Failure::Broken { .. } | Failure::Overtaken | Failure::Ended => Fate::Unknown,
            // It has answered: that it was sent is told, and harms nobody.
            Failure::Unready => {
                self.sent += 1;
                let until = at.saturating_add(self.unready_pause());
                self.unready = self.unready.saturating_add(1);
                self.pause = Some((seal, until, Refusal::Unreachable));
                return Ok(());
            }
            Failure::Slow => return Err(Refusal::Slow),
            Failure::Closing => return Err(Refusal::Closing),
        };
        self.sent += u32::from(how != Failure::NotSent);
        self.may_be_done += u32::from(fate == Fate::Unknown);
        match repeat::again(self.is_safe, fate, kept) {
            Ok(()) => {}
            Err(Once::Unsafe) => return Err(Refusal::Lost),
            Err(Once::BodyGone) if fate == Fate::NotProcessed => return Err(Refusal::NotKept),
            Err(Once::BodyGone) => return Err(Refusal::Lost),
        }
        // A leader that did nothing with the request may be asked any number of times; the pauses
        // bound it.
        if fate == Fate::Unknown && self.may_be_done >= MOST_SENT {
            return Err(Refusal::TooOften);
        }
        match how {
            Failure::NotSent | Failure::Slow | Failure::Unready | Failure::Closing => {}
            Failure::Overtaken => self.avoid = Some(seal),
            Failure::Misdirected | Failure::Ended => {
                let denied = self.denied.filter(|(by, _)| *by == seal);
                let denied = denied.map_or(0, |(_, times)| times);
                self.denied = Some((seal, denied.saturating_add(1)));
                let until = at.saturating_add(asked_again(denied));
                self.pause = Some((seal, until, Refusal::Misdirected));
            }
            Failure::Broken { reused: true } => self.fresh = true,
            Failure::Broken { reused: false } => {
                let factor = 2_u32.saturating_pow(self.may_be_done.saturating_sub(1));
                let until = at.saturating_add(PAUSE.saturating_mul(factor));
                self.pause = Some((seal, until, Refusal::Unreachable));
            }
        }
        Ok(())
    }
}

/// How long the leader of a term is left alone that has said this often before that it does not
/// lead.
pub(crate) fn asked_again(denied: u32) -> Duration {
    let factor = 2_u32.saturating_pow(denied);
    FIRST_ASKED_AGAIN
        .saturating_mul(factor)
        .min(LAST_ASKED_AGAIN)
}

#[cfg(test)]
mod tests;
