//! [`Position`]: how far a file has been read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a file of text has been read: behind a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// In bytes, unpacked.
    pub(crate) offset: u64,
    /// How many lines are before it.
    pub(crate) line: u64,
    /// How many records before it were left out, as they were not understood.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) skipped: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, offset {}", self.line + 1, self.offset)
    }
}

/// How far a Parquet file has been read.
#[cfg(feature = "parquet")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowPosition {
    /// How many rows are before it.
    pub(crate) row: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
