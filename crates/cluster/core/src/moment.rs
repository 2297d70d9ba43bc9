//! Moments as people read them.

use incumbent_core::Now;

/// The wall clock in UTC, with milliseconds. Shown and never compared.
pub(crate) fn wall_text(now: Now) -> String {
    humantime::format_rfc3339_millis(now.wall).to_string()
}
