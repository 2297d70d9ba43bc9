//! What goes wrong, and how often.

use std::time::Duration;

/// What [`Unreliable`](crate::Unreliable) does to calls. Probabilities lie between 0 and 1.
///
/// Two dice are thrown for each call: whether it happens, and whether its answer is heard.
///
/// | happens | heard | a swap gives | a read or list gives |
/// |---|---|---|---|
/// | yes | yes | the answer | the answer |
/// | yes | no | `Unknown` | `Unavailable` |
/// | no | yes | `NotApplied` | `Unavailable` |
/// | no | no | `Unknown`, and it may happen [late](Faults::late) | `Unavailable` |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// How likely a call does not happen.
    pub lost_call: f64,
    /// How likely its answer is not heard.
    pub lost_answer: f64,
    /// How likely a swap that neither happened nor was heard happens after one of the next calls,
    /// as a request does that was held up on its way.
    pub late: f64,
    /// The longest that a call takes before it happens, and its answer before it is heard; a random
    /// part of it each. Slept on Tokio's clock, so that it costs nothing where that is paused.
    pub delay: Duration,
    /// What becomes of hints.
    pub watch: WatchMode,
}

/// What becomes of hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchMode {
    /// They pass as they come.
    Prompt,
    /// Each waits for a random part of this time. What came meanwhile is told as "anything may have
    /// changed".
    Lagging(Duration),
    /// They are dropped, and do not come back when the faults are lifted.
    Silent,
}

impl Faults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        lost_call: 0.0,
        lost_answer: 0.0,
        late: 0.0,
        delay: Duration::ZERO,
        watch: WatchMode::Prompt,
    };

    /// Everything goes wrong, often; one call in three goes through untouched.
    pub const RAGING: Self = Self {
        lost_call: 0.4,
        lost_answer: 0.4,
        late: 0.5,
        delay: Duration::from_millis(2),
        watch: WatchMode::Lagging(Duration::from_millis(20)),
    };

    /// Nothing is reached at all, as behind a cut cable; what is sent is lost and never comes late.
    pub const CUT: Self = Self {
        lost_call: 1.0,
        lost_answer: 1.0,
        late: 0.0,
        delay: Duration::ZERO,
        watch: WatchMode::Silent,
    };
}
