//! Files as they should not be, and processes that are killed and stopped.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod damage;
mod opening;
mod processes;
