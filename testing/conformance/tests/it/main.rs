//! Tests the suite itself, on correct backends and on backends that are broken on purpose.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod caught;
mod flawed;
mod slow;
mod transparent;
mod unreliable;
