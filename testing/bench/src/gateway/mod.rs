//! The gateway beside HAProxy and nginx: one run, one client, one application behind them, in
//! turns.
//!
//! ```text
//!   application.rs   the application: a tiny HTTP server, the command of `incumbent run`
//!   proxy.rs         a proxy as a process: configured, started, weighed
//!   client.rs        connections that ask, as cheaply as can be
//!   load.rs          requests per second, what they take, and what the proxies hold
//!   tables.rs        that, told
//!   steady.rs        a steady load, and what came of each request
//!   changes.rs       the leader is replaced under it
//!   kills.rs         leaders are killed on a busy machine, and no GET may fail
//! ```
//!
//! Client, proxy and application share the machine. So the client says what it took of it, and so
//! does the application.

pub(crate) mod application;
mod changes;
mod client;
mod kills;
mod load;
mod proxy;
mod steady;
mod tables;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use incumbent_servers::free_port;

use crate::args::{GatewayArgs, GatewayPart};
use crate::report::Section;
use crate::runners::Serving;
use crate::{Failure, program};

/// What is run, and how much of it.
struct Plan {
    program: PathBuf,
    haproxy: PathBuf,
    nginx: PathBuf,
    /// Where the store and the files of the proxies are made.
    above: PathBuf,
    connections: Vec<usize>,
    rounds: u32,
    turn: Duration,
    changes: u32,
}

/// What does not fit in `--quick`.
const QUICK_ROUNDS: u32 = 3;
const QUICK_TURN: Duration = Duration::from_millis(200);
const QUICK_CHANGES: u32 = 6;

pub(crate) async fn measure(dir: &Path, args: GatewayArgs) -> Result<Vec<Section>, Failure> {
    let compares = args.kills.is_none();
    let other = |name| {
        if compares {
            installed(name)
        } else {
            Ok(PathBuf::new())
        }
    };
    let mut plan = Plan {
        program: program::find(args.program.as_deref())?,
        haproxy: other("haproxy")?,
        nginx: other("nginx")?,
        above: dir.canonicalize()?,
        connections: args.connections,
        rounds: args.rounds,
        turn: Duration::from_millis(args.turn),
        changes: args.changes,
    };
    if args.quick {
        plan.rounds = plan.rounds.min(QUICK_ROUNDS);
        plan.turn = plan.turn.min(QUICK_TURN);
        plan.changes = plan.changes.min(QUICK_CHANGES);
    }
    if let Some(kills) = args.kills {
        return Ok(vec![kills::measure(&plan, kills, args.busy).await?]);
    }
    let mut sections = Vec::new();
    for part in args.only {
        match part {
            GatewayPart::Load => sections.extend(load::measure(&plan).await?),
            GatewayPart::Changes => sections.push(changes::measure(&plan).await?),
        }
    }
    Ok(sections)
}

/// Finds a program where Debian installs it, which not everybody's `PATH` knows.
fn installed(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path)
        .chain(usual)
        .map(|dir| dir.join(name))
        .find(|program| program.is_file());
    Ok(found.ok_or("there is nothing to compare with: apt-get install haproxy nginx")?)
}

/// An address that is free now.
fn free() -> Result<SocketAddr, Failure> {
    Ok(([127, 0, 0, 1], free_port()?).into())
}

/// An application that answers after `delay`.
fn serving(delay: Duration) -> Result<Serving, Failure> {
    let millis = OsString::from(delay.as_millis().to_string());
    Ok(Serving {
        web: free()?,
        status: free()?,
        arguments: vec![millis],
    })
}
