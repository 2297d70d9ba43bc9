//! The id of one grant of leadership.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The length of the text: `8-4-4-4-12` digits.
const LENGTH: usize = 36;

/// The places of the hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// The id that Flink draws at random for each grant of leadership: a UUID. Two of them can be
/// compared for equality; neither says which was first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u128);

/// The text is not a session id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a UUID")]
pub struct NoSessionId;

impl SessionId {
    /// The id with these two halves, as Java stores them.
    pub const fn of_halves(most: u64, least: u64) -> Self {
        Self(((most as u128) << 64) | least as u128)
    }

    /// The id as one number.
    pub const fn number(self) -> u128 {
        self.0
    }
}

impl FromStr for SessionId {
    type Err = NoSessionId;

    fn from_str(text: &str) -> Result<Self, NoSessionId> {
        if text.len() != LENGTH {
            return Err(NoSessionId);
        }
        let mut id = 0;
        for (at, byte) in text.bytes().enumerate() {
            if HYPHENS.contains(&at) {
                if byte != b'-' {
                    return Err(NoSessionId);
                }
                continue;
            }
            let digit = char::from(byte).to_digit(16).ok_or(NoSessionId)?;
            id = (id << 4) | u128::from(digit);
        }
        Ok(Self(id))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let (a, rest) = digits.split_at(8);
        let (b, rest) = rest.split_at(4);
        let (c, rest) = rest.split_at(4);
        let (d, e) = rest.split_at(4);
        write!(f, "{a}-{b}-{c}-{d}-{e}")
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_halves_are_the_same_id() {
        let text = "9714595 4-0c91-5a4c-0b9a-9192b328c278".replace(' ', "");
        let id: SessionId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(
            id,
            SessionId::of_halves(0x9714_5954_0c91_5a4c, 0x0b9a_9192_b328_c278)
        );
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "null",
            "97145954-0c91-5a4c-0b9a-9192b328c27",
            "97145954-0c91-5a4c-0b9a-9192b328c27g",
            "97145954+0c91-5a4c-0b9a-9192b328c278",
            "97145954-0c91-5a4c-0b9a-9192b328ä27",
        ] {
            assert_eq!(text.parse::<SessionId>(), Err(NoSessionId), "{text}");
        }
    }
}
