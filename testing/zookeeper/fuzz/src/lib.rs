//! The fuzz targets of the leader server: functions that take any bytes and panic if something is
//! wrong.
//!
//! `fuzz/` runs them under libFuzzer, which looks for new paths through the code (`.ci/fuzz`). The
//! test here runs them on the committed corpus and on random changes of it, on any toolchain and in
//! seconds.
//!
//! | function | checks that |
//! |---|---|
//! | [`frame`] | no bytes make the decoder panic, and messages read back as written |
//! | [`machine`] | the log holds the whole state, and a refused request changes nothing |
//! | [`entry_and_snapshot`] | no bytes on a disk make the reader panic, and state reads back as written |

mod actions;
mod frames;
mod state;
mod world;

pub use actions::machine;
pub use frames::frame;
pub use state::entry_and_snapshot;

/// Panics if something is wrong.
pub type Target = fn(&[u8]);

/// All targets by their names, which are those in `fuzz/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("frame", frame),
    ("machine", machine),
    ("entry_and_snapshot", entry_and_snapshot),
];
