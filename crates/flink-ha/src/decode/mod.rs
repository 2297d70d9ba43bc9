//! Decodes the values that Flink writes: pure, safe on any bytes, and bounded.

mod counter;
mod error;
mod handle;
mod leader;
mod lock;

#[cfg(test)]
mod tests;

pub use counter::{checkpoint_id, decimal_counter, shared_count};
pub use error::DecodeError;
pub(crate) use error::shortened;
pub use handle::{StateHandle, base64_handle, state_handle};
pub use leader::{Leader, connection_info, leader_value, leader_values};
pub use lock::{Lock, lock};
