//! How much may be held at once.

use crate::error::FlinkError;

/// Most bytes of names and values of one cluster. A thousand jobs of ten checkpoints have some
/// twenty mebibytes: Flink keeps pointers.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// What is left of a limit of bytes.
pub(crate) struct Room {
    most: usize,
    left: usize,
}

impl Room {
    /// For one cluster.
    pub(crate) fn usual() -> Self {
        Self::of(MOST_BYTES)
    }

    pub(crate) fn of(most: usize) -> Self {
        Self { most, left: most }
    }

    /// Takes so much of it, or fails with [`FlinkError::TooMuch`].
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), FlinkError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(FlinkError::TooMuch {
            what: "bytes of HA data",
            most: self.most,
        })?;
        Ok(())
    }
}
