//! What Flink's values say: pure, for any bytes, and bounded.

mod counter;
mod handle;
mod leader;
mod lock;

#[cfg(test)]
mod tests;

pub use counter::{checkpoint_id, decimal_counter, shared_count};
pub use handle::{StateHandle, base64_handle, state_handle};
pub use leader::{connection_info, leader_value, leader_values};
pub use lock::{Lock, lock};

use crate::java::JavaError;

/// Why a value of Flink's cannot be read.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not what Java writes.
    #[error("it is no Java object stream that can be read: {0}")]
    Java(#[from] JavaError),
    /// It is what Java writes, and this is not in it.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// What should be a session id is none.
    #[error("{0:?} is no session id")]
    Session(String),
    /// It is not base64.
    #[error("it is not base64")]
    Base64,
    /// What should be a number is none.
    #[error("{0:?} is not the number that should be here")]
    Number(String),
    /// It is not the JSON that should be here.
    #[error("it is not the JSON that should be here: {0}")]
    Json(String),
}

/// Text of others, short enough for a message.
pub(crate) fn shown(text: &str) -> String {
    /// A session id has 36.
    const LONGEST_SHOWN: usize = 60;
    text.chars().take(LONGEST_SHOWN).collect()
}
