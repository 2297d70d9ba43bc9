//! The faults, and their probabilities.

use std::time::Duration;

/// How [`Unreliable`](crate::Unreliable) treats calls. Probabilities lie between 0 and 1.
///
/// Two dice are thrown for each call: whether the call happens, and whether its answer is heard.
///
/// | happens | heard | a swap gives | a read or list gives |
/// |---|---|---|---|
/// | yes | yes | the answer | the answer |
/// | yes | no | `Unknown` | `Unavailable` |
/// | no | yes | `NotApplied` | `Unavailable` |
/// | no | no | `Unknown`, and it may happen [late](Faults::late) | `Unavailable` |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// The probability that a call does not happen.
    pub lost_call: f64,
    /// The probability that its answer is not heard.
    pub lost_answer: f64,
    /// The probability that a swap that neither happened nor was heard still happens, after one of
    /// the next calls. A request that is held up on its way behaves like this.
    pub late: f64,
    /// The longest delay before a call happens, and before its answer is heard. Each delay is a
    /// random part of it. It uses Tokio's clock, so it takes no real time where that clock is
    /// paused.
    pub delay: Duration,
    /// The treatment of hints.
    pub watch: WatchMode,
}

/// The treatment of hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchMode {
    /// Hints pass without delay.
    Prompt,
    /// Each hint waits for a random part of this time. Hints that come in the meantime are replaced
    /// by "anything may have changed".
    Lagging(Duration),
    /// Hints are dropped, and do not come back when the faults end.
    Silent,
}

impl Faults {
    /// No faults.
    pub const NONE: Self = Self {
        lost_call: 0.0,
        lost_answer: 0.0,
        late: 0.0,
        delay: Duration::ZERO,
        watch: WatchMode::Prompt,
    };

    /// Frequent faults of all kinds; one call in three passes untouched.
    pub const RAGING: Self = Self {
        lost_call: 0.4,
        lost_answer: 0.4,
        late: 0.5,
        delay: Duration::from_millis(2),
        watch: WatchMode::Lagging(Duration::from_millis(20)),
    };

    /// The backend is not reachable at all, as behind a cut cable. Requests are lost and never come
    /// late.
    pub const CUT: Self = Self {
        lost_call: 1.0,
        lost_answer: 1.0,
        late: 0.0,
        delay: Duration::ZERO,
        watch: WatchMode::Silent,
    };
}
