//! The one place where the time is read: what is measured here is real.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "this program measures real time, and decides nothing by it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
