//! [`Window`] and [`Windowed`]: what windows give.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A stretch of event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Its first millisecond.
    pub start: Timestamp,
    /// The first millisecond after it.
    pub end: Timestamp,
}

impl Window {
    /// Its last millisecond: the time that its result has, so that it falls into a window of the
    /// same end further down.
    pub fn last(&self) -> Timestamp {
        Timestamp(self.end.0.saturating_sub(1))
    }

    /// Whether something of this time falls into it.
    pub fn has(&self, time: Timestamp) -> bool {
        self.start <= time && time < self.end
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start.0, self.end.0)
    }
}

/// The result of a window for a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Windowed<K, R> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Window,
    /// The result.
    pub value: R,
}

/// What the logic of a window puts out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fired<K, R, T> {
    Result(Windowed<K, R>),
    /// A record whose windows are all gone.
    Late(T),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_its_start_and_not_its_end() {
        let window = Window {
            start: Timestamp(10),
            end: Timestamp(20),
        };
        assert!(window.has(Timestamp(10)) && window.has(window.last()));
        assert!(!window.has(Timestamp(20)) && !window.has(Timestamp(9)));
        assert_eq!(window.to_string(), "[10, 20)");
    }
}
