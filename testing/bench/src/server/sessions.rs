//! Many idle sessions, and many watches of one node.

use incumbent_zk_probe::{Probe, new_session};
use incumbent_zk_proto::{Request, xid};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Plan;
use super::client::{create, open_sessions};
use super::pair::{self, Ask, Pair};
use super::side::{self, Memory, Side};
use crate::progress::Progress;
use crate::report::Section;
use crate::{Failure, stopwatch};

/// Most memory, as a share of ZooKeeper's.
pub(super) const MOST_MEMORY: f64 = 0.2;

/// The node that all sessions watch.
const WATCHED: &str = "/watched";

/// Descriptors that a process needs beside its sessions.
const BESIDE: usize = 256;

/// The figures of one server.
struct Measured {
    empty: Memory,
    opened_ms: f64,
    idle: Memory,
    /// From the change until the last session has got the event.
    told_ms: Vec<f64>,
    told: Memory,
}

pub(super) async fn measure(plan: &Plan) -> Result<Section, Failure> {
    let mut notes = Vec::new();
    let sessions = plan.sessions.min(descriptors()?.saturating_sub(BESIDE));
    if sessions < plan.sessions {
        notes.push(format!(
            "No more than {sessions} sessions: `ulimit -Hn` does not allow {}.",
            plan.sessions
        ));
    }
    let mut progress = Progress::new("server, sessions");
    let mut measured = Vec::new();
    for side in side::both(plan).await? {
        progress.step(|| side.name.to_owned());
        measured.push(of(&side, sessions, plan.changes).await?);
    }
    notes.push(format!(
        "Memory of servers that have done nothing else; ZooKeeper's JVM has {}.",
        plan.jvm.join(" ")
    ));
    Ok(pair::section(
        "sessions",
        &pairs(sessions, &measured)?,
        notes,
    ))
}

async fn of(side: &Side, sessions: usize, changes: u32) -> Result<Measured, Failure> {
    let empty = side.memory().await?;
    let begin = stopwatch::now();
    let mut watchers = open_sessions(side, sessions).await?;
    let opened_ms = begin.elapsed().as_secs_f64() * 1e3;
    let idle = side.memory().await?;
    let mut writer = Probe::connect(side.address(), &new_session(40_000)).await?;
    writer.call(&create(WATCHED)).await?.response()?;
    let mut told_ms = Vec::new();
    for _ in 0..changes {
        told_ms.push(tell(&mut watchers, &mut writer).await?);
    }
    let told = side.memory().await?;
    Ok(Measured {
        empty,
        opened_ms,
        idle,
        told_ms,
        told,
    })
}

/// Sets a watch in each session, changes the node, and returns how long it took until the last
/// session got the event.
async fn tell(watchers: &mut [Probe], writer: &mut Probe) -> Result<f64, Failure> {
    let watch = Request::GetData {
        path: WATCHED,
        watch: true,
    };
    for watcher in watchers.iter_mut() {
        watcher.send(&watch).await?;
    }
    for watcher in watchers.iter_mut() {
        watcher.receive_header().await?;
    }
    let change = Request::SetData {
        path: WATCHED,
        data: Some(b"changed"),
        version: -1,
    };
    let begin = stopwatch::now();
    writer.send(&change).await?;
    for watcher in watchers.iter_mut() {
        let header = watcher.receive_header().await?;
        if header.xid != xid::EVENT {
            return Err("an answer came that is not the event".into());
        }
    }
    let took = begin.elapsed().as_secs_f64() * 1e3;
    writer.receive_header().await?;
    Ok(took)
}

fn pairs(sessions: usize, measured: &[Measured]) -> Result<Vec<Pair>, Failure> {
    let [ours, theirs] = measured else {
        return Err("only two servers are compared".into());
    };
    let one = |what: String, unit, of: &dyn Fn(&Measured) -> f64, ask| {
        Pair::new(what, unit, [&[of(ours)], &[of(theirs)]], Some(ask))
    };
    let least = Ask::RatioAtMost(MOST_MEMORY);
    let mut pairs = Vec::new();
    for (when, of) in [
        (
            "at the start".to_owned(),
            (|of| of.empty) as fn(&Measured) -> Memory,
        ),
        (format!("with {sessions} idle sessions"), |of| of.idle),
        (format!("after {sessions} were told"), |of| of.told),
    ] {
        pairs.push(one(
            format!("RSS {when}"),
            "MiB",
            &|measured| of(measured).rss,
            least,
        )?);
        pairs.push(one(
            format!("PSS {when}"),
            "MiB",
            &|measured| of(measured).pss,
            least,
        )?);
    }
    let what = format!("to open {sessions} sessions");
    pairs.push(one(what, "ms", &|of| of.opened_ms, Ask::RatioAtMost(1.0))?);
    pairs.push(Pair::new(
        format!("until the last of {sessions} watches was told"),
        "ms",
        [&ours.told_ms, &theirs.told_ms],
        Some(Ask::RatioAtMost(1.0)),
    )?);
    Ok(pairs)
}

/// Raises the limit of open files for this process and its children as far as possible, and returns
/// it.
fn descriptors() -> Result<usize, Failure> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised)?;
    // The system may set no limit.
    Ok(limit.maximum.map_or(usize::MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    }))
}
