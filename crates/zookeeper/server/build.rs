//! Says when this was built: the four-letter word `srvr` tells it, as ZooKeeper does.
//!
//! `SOURCE_DATE_EPOCH`, seconds since 1970, stands for the time if it is set: the build is the same
//! then wherever it is made.

use std::time::{Duration, SystemTime};

fn main() {
    const VARIABLE: &str = "SOURCE_DATE_EPOCH";
    let set = std::env::var(VARIABLE).ok();
    let given = set.and_then(|seconds| seconds.parse().ok());
    #[expect(clippy::disallowed_methods, reason = "it is the time of the build")]
    let time = given.map_or_else(SystemTime::now, |seconds| {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    });
    // 2026-11-29T12:34:56Z
    let time = humantime::format_rfc3339_seconds(time).to_string();
    let (day, minute) = (&time[..10], &time[11..16]);
    println!("cargo::rustc-env=INCUMBENT_BUILT_ON={day} {minute} UTC");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
}
