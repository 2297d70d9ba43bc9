//! Ends a command, and everything it started, before another leader can act. Linux only.
//!
//! ```text
//!   runner ─────────────spawns────────────► guard ──spawns──► exec shim ──execs──► COMMAND
//!   campaigns, renews                       own process group                      own process group
//!        │                                    ▲   │                                     ▲
//!        └── start, extend, stop, signal ─────┘   └── SIGTERM, SIGKILL to the group ────┘
//!        ◄── started, exited, signaled ───────┘       and to every orphan of COMMAND
//! ```
//!
//! The guard is the same executable under a hidden subcommand, so call [`intercept`] first in
//! `main`. The guard does not rely on the runner to be alive, awake or quick:
//!
//! | what happens | what the guard does |
//! |---|---|
//! | [`Deadlines::term`] passes without an extension | SIGTERM to the group |
//! | [`Deadlines::hard`] passes without an extension | SIGKILL to the group |
//! | [`Leash::bind`] | nothing: deadlines of a next lease replace those of the last |
//! | the runner dies, or drops [`Guarded`] | SIGKILL to the group |
//! | [`Leash::stop`] | SIGTERM, and SIGKILL after the grace, never later than the hard deadline |
//! | COMMAND exits | SIGKILL to what it left behind |
//! | COMMAND is stopped, or continued | a message to the runner ([`Event`]) |
//! | a signal is ignored from the start (`nohup`) | nothing: it stays ignored, in COMMAND too, except SIGCHLD |
//! | the guard itself is killed | the kernel kills COMMAND (`PR_SET_PDEATHSIG`), the runner its group |
//!
//! The guard is a child subreaper: a process that COMMAND leaves behind in another process group or
//! session becomes the guard's child and is killed too, also behind a parent that cannot be killed.
//! When no child is left, the guard reports and exits. Until then it holds the *liveness listener*
//! open without ever accepting. So "connection refused" at that address proves that COMMAND is
//! dead, even after `kill -9` of the runner.
//!
//! A command may be a part of its runner, or be kept apart from it:
//!
//! | | [`Spec::new`] | [`Spec::apart`] |
//! |---|---|---|
//! | environment | the runner's, and [`Spec::env`] | only [`Spec::env`] |
//! | stdin, stdout, stderr | the runner's; no terminal as stdin | `/dev/null`, or what is given |
//! | other descriptors | those of the runner that are not closed on exec | none |
//! | deadlines | given | none, or given |
//!
//! Guard and shim have neither environment: it cannot be read from them, and does not change them.
//!
//! Deadlines are moments of `CLOCK_BOOTTIME`, which also counts while the machine is suspended.
//!
//! # What this does not cover
//!
//! - A process that was started elsewhere on COMMAND's behalf: by a service manager, a container
//!   engine, another host.
//! - A process that forks faster than it is found, that the guard is not allowed to signal (another
//!   user's, through `sudo`), or that the kernel cannot end (uninterruptible I/O). The guard keeps
//!   the listener and keeps trying, and the runner receives [`GuardLost::Lingering`].
//! - A stopped process that COMMAND has started, while COMMAND itself runs: only a stop of COMMAND
//!   is reported.
//! - Orphans of others. As process 1 of a container the runner adopts processes that are not
//!   COMMAND's (of `docker exec`, say) and does not reap them. Start the container with an init:
//!   `docker run --init`, or `shareProcessNamespace` in a pod.
//! - A `/proc` that hides processes of the same user. A `/proc` of another pid namespace is
//!   refused.
//! - `kill -9` of the guard: children that COMMAND put into groups of their own survive, and so
//!   does COMMAND if it is a set-user-id program or has file capabilities, for which the kernel
//!   forgets the death signal.
//! - A guard that is stopped (`SIGSTOP`) enforces nothing until it is continued.
//! - After suspend, COMMAND may run for a moment before the guard does. Fenced records are safe
//!   then.
//!
//! Start reading in `spec.rs` (what a command receives), then [`runner`](Guarded), `plan.rs` (what
//! is due when), `guard.rs`, `ending.rs` and `shim.rs`.

mod clock;
mod descriptors;
mod ending;
mod environment;
mod error;
mod event;
mod fds;
mod guard;
mod ignored;
mod leash;
mod panics;
mod plan;
mod proc;
mod runner;
mod shim;
mod signals;
mod spec;
mod tree;
mod wire;

use std::process::ExitCode;

pub use clock::BootTime;
pub use error::{GuardLost, LeashError, SpawnError};
pub use event::{Cause, End, Event, Exit};
pub use guard::guard_main;
pub use ignored::Ignored;
pub use leash::Leash;
pub use plan::Deadlines;
pub use runner::Guarded;
pub use shim::shim_main;
pub use spec::{Descriptors, Environment, Spec, Stream};

/// The hidden subcommand that makes this executable a guard: `incumbent __guard COMMAND ARGS…`.
pub const GUARD: &str = "__guard";

/// The hidden subcommand that makes this executable an exec shim:
/// `incumbent __exec PARENT COMMAND ARGS…`.
pub const EXEC: &str = "__exec";

/// Exit code of guard and shim if they fail themselves, as `env` and `timeout` use it.
const OUR_FAULT: u8 = 125;

/// Becomes the guard or the shim if this process was started as one. Call it first in `main`,
/// before any thread starts.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     if let Some(code) = incumbent_guard::intercept() {
///         return code;
///     }
///     // The program itself.
///     std::process::ExitCode::SUCCESS
/// }
/// ```
pub fn intercept() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let main = match args.next()?.to_str()? {
        GUARD => guard_main,
        EXEC => shim_main,
        _ => return None,
    };
    panics::report_without_waiting();
    Some(main(args))
}
