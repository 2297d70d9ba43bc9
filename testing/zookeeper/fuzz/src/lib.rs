//! What is fuzzed in the leader server: functions that take any bytes and panic if something is
//! wrong.
//!
//! `fuzz/` gives them to libFuzzer, which looks for new ways through the code (`.ci/fuzz`). The
//! test here gives them the committed corpus and random changes of it, on any toolchain and in
//! seconds.
//!
//! | function | says |
//! |---|---|
//! | [`frame`] | nothing that is sent makes the decoder panic, and what it reads it writes to be read the same |
//! | [`machine`] | the log says all there is, and what is refused changes nothing, whatever clients do |
//! | [`entry_and_snapshot`] | nothing that lies on a disk makes the reader panic, and what is read is kept the same |

mod actions;
mod frames;
mod state;
mod world;

pub use actions::machine;
pub use frames::frame;
pub use state::entry_and_snapshot;

/// Panics if something is wrong.
pub type Target = fn(&[u8]);

/// All of them by their names, which are those in `fuzz/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("frame", frame),
    ("machine", machine),
    ("entry_and_snapshot", entry_and_snapshot),
];
