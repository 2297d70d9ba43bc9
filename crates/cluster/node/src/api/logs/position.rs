//! [`Position`]: how far a client has read, as the id of an event says it. Pure.
//!
//! ```text
//! 3:120,0,77      of attempt 3: 120 bytes of the first rank that was asked for, none of the second …
//! ```

use std::fmt;
use std::str::FromStr;

use incumbent_cluster_core::Attempt;

/// How far a log was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) attempt: Attempt,
    /// The offset of the next byte of each rank that was asked for.
    pub(super) offsets: Vec<u64>,
}

/// The text is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadPosition;

impl Position {
    /// The beginning of an attempt.
    pub(super) fn start(attempt: Attempt, ranks: usize) -> Self {
        Self {
            attempt,
            offsets: vec![0; ranks],
        }
    }

    /// Notes that a rank was read to this offset.
    pub(super) fn read(&mut self, attempt: Attempt, index: usize, offset: u64) {
        if self.attempt != attempt {
            *self = Self::start(attempt, self.offsets.len());
        }
        if let Some(known) = self.offsets.get_mut(index) {
            *known = offset;
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.attempt)?;
        for (at, offset) in self.offsets.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{offset}")?;
        }
        Ok(())
    }
}

impl FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Self, BadPosition> {
        let (attempt, offsets) = text.split_once(':').ok_or(BadPosition)?;
        let offsets: Result<_, _> = offsets.split(',').map(str::parse).collect();
        Ok(Self {
            attempt: Attempt(attempt.parse().map_err(|_| BadPosition)?),
            offsets: offsets.map_err(|_| BadPosition)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_and_begins_anew_with_each_attempt() {
        let mut position = Position::start(Attempt(3), 2);
        position.read(Attempt(3), 1, 77);
        assert_eq!(position.to_string(), "3:0,77");
        assert_eq!("3:0,77".parse(), Ok(position.clone()));
        position.read(Attempt(4), 0, 5);
        assert_eq!(position.to_string(), "4:5,0");
        for bad in ["", "3", "3:", "3:a", "x:1", "3:1,", "3:-1"] {
            assert_eq!(bad.parse::<Position>(), Err(BadPosition), "{bad}");
        }
    }
}
