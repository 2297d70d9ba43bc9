//! Reports a failure once, and its end once.
//!
//! An action that is retried every second must not log every second. And if the log says "no
//! connection", it must also say when that is over. [`Outage`] decides what is news; the caller
//! logs.
//!
//! ```
//! # use incumbent_backend::outage::{News, Outage, Recovery};
//! let outage = Outage::new();
//! assert_eq!(outage.failed("connection refused"), News::Began);       // warn: … retrying in 2 s
//! assert_eq!(outage.failed("connection refused"), News::Known);       // debug
//! assert_eq!(outage.failed("no route to host"), News::OtherReason);   // warn
//! assert_eq!(outage.worked(), Recovery::Over { failures: 3 });        // info: … again, after 3 failures
//! assert_eq!(outage.worked(), Recovery::None);
//! assert_eq!(outage.failed("connection refused"), News::Began);       // a new outage is news again
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most reasons remembered of one outage. If there are more, for example because each contains
/// a request's number, the rest is not news.
const MOST_REASONS: usize = 8;

/// Tracks whether one thing works, and what has been reported about it; see the [module](self).
///
/// Use one value for each thing that can fail on its own. If two kinds of requests share one, the
/// success of the first hides the failure of the second.
#[derive(Debug, Default)]
pub struct Outage {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Untried,
    Works,
    Fails {
        failures: u64,
        /// The reasons reported in this outage, oldest first.
        reasons: Vec<String>,
        last: String,
    },
}

/// What a failure means to a reader of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum News {
    /// It worked before, or was never tried: report it.
    Began,
    /// It still fails, for a reason that is new in this outage: report it.
    OtherReason,
    /// It still fails, for a reason that was already reported.
    Known,
}

/// What a success means to a reader of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Recovery {
    /// It works for the first time, and never failed.
    First,
    /// It works again: report it.
    Over {
        /// How often it failed in a row.
        failures: u64,
    },
    /// It worked before.
    None,
}

impl Outage {
    /// Makes a value for a thing that was not tried yet.
    pub const fn new() -> Self {
        Self {
            state: Mutex::new(State::Untried),
        }
    }

    /// Records a failure. `why` is one line without secrets, as [`causes`](crate::causes()) makes
    /// it.
    pub fn failed(&self, why: &str) -> News {
        let mut state = self.state();
        if let State::Fails {
            failures,
            reasons,
            last,
        } = &mut *state
        {
            *failures = failures.saturating_add(1);
            why.clone_into(last);
            if reasons.len() == MOST_REASONS || reasons.iter().any(|reason| reason == why) {
                return News::Known;
            }
            reasons.push(why.to_owned());
            return News::OtherReason;
        }
        *state = State::Fails {
            failures: 1,
            reasons: vec![why.to_owned()],
            last: why.to_owned(),
        };
        News::Began
    }

    /// Records a success.
    pub fn worked(&self) -> Recovery {
        match std::mem::replace(&mut *self.state(), State::Works) {
            State::Untried => Recovery::First,
            State::Works => Recovery::None,
            State::Fails { failures, .. } => Recovery::Over { failures },
        }
    }

    /// The last failure's reason, if it fails now.
    pub fn reason(&self) -> Option<String> {
        match &*self.state() {
            State::Fails { last, .. } => Some(last.clone()),
            State::Untried | State::Works => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_news_once_and_so_is_its_end() {
        let outage = Outage::new();
        assert_eq!(outage.worked(), Recovery::First);
        for _ in 0..3 {
            assert_eq!(outage.failed("a"), News::Began);
            assert_eq!(outage.failed("a"), News::Known);
            assert_eq!(outage.failed("a"), News::Known);
            assert_eq!(outage.reason().as_deref(), Some("a"));
            assert_eq!(outage.worked(), Recovery::Over { failures: 3 });
            assert_eq!(outage.worked(), Recovery::None);
            assert_eq!(outage.reason(), None);
        }
    }

    #[test]
    fn reasons_that_take_turns_are_each_news_once() {
        let outage = Outage::new();
        assert_eq!(outage.failed("a"), News::Began);
        assert_eq!(outage.failed("b"), News::OtherReason);
        for _ in 0..5 {
            assert_eq!(outage.failed("a"), News::Known);
            assert_eq!(outage.failed("b"), News::Known);
        }
        assert_eq!(outage.reason().as_deref(), Some("b"));
    }

    #[test]
    fn reasons_without_number_are_not_news_without_end() {
        let outage = Outage::new();
        let news = (0..1000).filter(|n| outage.failed(&n.to_string()) != News::Known);
        assert_eq!(news.count(), MOST_REASONS);
        assert_eq!(outage.reason().as_deref(), Some("999"));
        assert_eq!(outage.worked(), Recovery::Over { failures: 1000 });
    }

    #[test]
    fn what_never_worked_ends_its_outage_too() {
        let outage = Outage::default();
        assert_eq!(outage.failed("a"), News::Began);
        assert_eq!(outage.worked(), Recovery::Over { failures: 1 });
    }
}
