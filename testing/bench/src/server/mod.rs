//! The leader server beside a real ZooKeeper: one run, one client, one disk, in turns.
//!
//! ```text
//!   side.rs       a server as a process: started, restarted, weighed
//!   client.rs     synchronous clients: each has one request in flight
//!   load.rs       requests per second, and how long they take
//!   sessions.rs   many sessions, and many watches that are told of one change
//!   start.rs      from the start to the first answer
//!   pair.rs       what was measured of both, and what was asked for
//!   disk.rs       what the disk takes for what both wait for
//! ```
//!
//! All clients run on one thread and do as little work as a client can, so that the figures are
//! those of the servers.

mod client;
mod disk;
mod load;
mod pair;
mod sessions;
pub(crate) mod side;
mod start;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::args::{Load, Part, ServerArgs};
use crate::report::Section;
use crate::{Failure, program};

/// What to run, and how much of it.
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    /// Where the directories of the servers are made.
    pub(crate) above: PathBuf,
    pub(crate) jvm: Vec<String>,
    pub(crate) loads: Vec<Load>,
    pub(crate) clients: Vec<usize>,
    pub(crate) rounds: u32,
    pub(crate) turn: Duration,
    /// How long each load runs before anything counts: the JVM compiles while it runs.
    pub(crate) warm_up: Duration,
    pub(crate) sessions: usize,
    /// How often all watches are told of a change.
    pub(crate) changes: u32,
    /// How often each start is timed.
    pub(crate) starts: u32,
}

/// The parts that `--quick` leaves out.
const QUICK_ROUNDS: u32 = 3;
const QUICK_TURN: Duration = Duration::from_millis(200);

pub(crate) async fn measure(dir: &Path, args: ServerArgs) -> Result<Vec<Section>, Failure> {
    let turn = Duration::from_millis(args.turn);
    let mut plan = Plan {
        program: program::find(args.program.as_deref())?,
        above: dir.canonicalize()?,
        jvm: args.jvm,
        loads: args.loads,
        clients: args.clients,
        rounds: args.rounds,
        turn,
        warm_up: 2 * turn,
        sessions: 10_000,
        changes: 7,
        starts: 5,
    };
    if args.quick {
        plan.rounds = plan.rounds.min(QUICK_ROUNDS);
        plan.turn = plan.turn.min(QUICK_TURN);
        plan.warm_up = 2 * plan.turn;
        plan.changes = 3;
        plan.starts = 2;
    }
    let mut sections = Vec::new();
    for part in args.only {
        sections.push(match part {
            Part::Load => load::measure(&plan).await?,
            Part::Sessions => sessions::measure(&plan).await?,
            Part::Start => start::measure(&plan).await?,
        });
    }
    Ok(sections)
}
