//! Times: ours are texts for people, Flink's are milliseconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

/// What Flink says of a time that has not come: of the end of a job that runs, for example.
pub(crate) const NEVER: i64 = -1;

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "shown to people")]
pub(crate) fn now() -> i64 {
    ms(SystemTime::now())
}

/// The milliseconds of a time in a view; 0 if it is none.
pub(crate) fn at(text: &str) -> i64 {
    humantime::parse_rfc3339_weak(text).map_or(0, ms)
}

fn ms(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_milliseconds() {
        assert_eq!(at("1970-01-01T00:00:01.250Z"), 1250);
        assert_eq!(at(""), 0);
    }
}
