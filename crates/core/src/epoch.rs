//! The fencing token: [`Epoch`], the [`Nonce`] of a term, and both together as a [`Seal`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Number of a leader's term, also called a fencing token. It rises with every term and is never
/// led twice.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(u64);

/// Random number of one term. Tells two terms apart even if somebody deleted the root record and
/// its epoch was counted anew.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce(u128);

/// What a leader stamps on every record before it reads it: the epoch and the nonce of its term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seal {
    /// The epoch of the term that sealed.
    pub epoch: Epoch,
    /// The nonce of the term that sealed.
    pub nonce: Nonce,
}

impl Epoch {
    /// Before the first term: nobody leads at this epoch.
    pub const ZERO: Self = Self(0);

    /// The epoch with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The epoch of the term after this one.
    ///
    /// # Panics
    ///
    /// After 2^64 - 1 terms.
    #[must_use]
    pub fn next(self) -> Self {
        Self(
            self.0
                .checked_add(1)
                .expect("nobody lives to see 2^64 terms"),
        )
    }
}

impl Nonce {
    /// The nonce with this number. Callers take it from the operating system's randomness.
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u128 {
        self.0
    }

    /// The nonce of a process's `n`th term, given a random one of the process. The core draws no
    /// random numbers itself.
    #[must_use]
    pub(crate) fn nth(self, n: u128) -> Self {
        Self(self.0.wrapping_add(n))
    }

    /// Which term of the process with this random number it is, counted from one; `None` if it is
    /// none of its first 2^64.
    pub(crate) fn distance_from(self, first: Self) -> Option<u128> {
        Some(self.0.wrapping_sub(first.0)).filter(|n| (1..=u128::from(u64::MAX)).contains(n))
    }
}

impl Seal {
    /// Whether a leader with the seal `mine` must stop when it finds this seal on a record.
    ///
    /// So it must for a higher epoch, and for its own epoch with another nonce: then the root
    /// record was lost and counted anew.
    pub fn outranks(self, mine: Seal) -> bool {
        self.epoch > mine.epoch || (self.epoch == mine.epoch && self.nonce != mine.nonce)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonce({self})")
    }
}

/// Text that is not a nonce: 32 lower-case hexadecimal digits are.
#[derive(Debug, thiserror::Error)]
#[error("a nonce is 32 hexadecimal digits, not {0:?}")]
pub struct ParseNonceError(String);

impl FromStr for Nonce {
    type Err = ParseNonceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match u128::from_str_radix(text, 16) {
            Ok(number) if text.len() == 32 => Ok(Self(number)),
            _ => Err(ParseNonceError(text.chars().take(64).collect())),
        }
    }
}

impl Serialize for Nonce {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
