//! A limit on the memory that one cluster's data may take.

use crate::error::FlinkError;

/// Most bytes of names and values of one cluster. A thousand jobs with ten checkpoints each take
/// about 20 MiB, since Flink stores pointers only.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// The rest of a limit of bytes.
pub(crate) struct ByteBudget {
    most: usize,
    left: usize,
}

impl ByteBudget {
    /// The budget for one cluster.
    pub(crate) fn of_cluster() -> Self {
        Self::of(MOST_BYTES)
    }

    pub(crate) fn of(most: usize) -> Self {
        Self { most, left: most }
    }

    /// Takes this many bytes from the budget, or fails with [`FlinkError::TooMuch`].
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), FlinkError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(FlinkError::TooMuch {
            what: "bytes of HA data",
            most: self.most,
        })?;
        Ok(())
    }
}
