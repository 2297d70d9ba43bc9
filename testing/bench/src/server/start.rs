//! From the start to the first answer.

use std::path::Path;
use std::time::Duration;

use incumbent_zk_probe::{Probe, new_session};

use super::Plan;
use super::client::{create, pipeline};
use super::pair::{self, Ask, Pair};
use super::sessions::MOST_MEMORY;
use super::side::{self, Memory, Side};
use crate::progress::Progress;
use crate::report::Section;
use crate::{Failure, stopwatch};

/// Nodes of the snapshot, below one.
const NODES: usize = 100_000;
const ABOVE: &str = "/nodes";

/// Longest start of our server, in milliseconds.
const LONGEST_START: f64 = 50.0;

/// How long to wait for a snapshot that a server writes on its own schedule.
const PATIENCE: Duration = Duration::from_secs(60);

/// The figures of one server.
#[derive(Default)]
struct Measured {
    empty_ms: Vec<f64>,
    full_ms: Vec<f64>,
    memory: Vec<Memory>,
}

pub(super) async fn measure(plan: &Plan) -> Result<Section, Failure> {
    let mut progress = Progress::new("server, start");
    let mut sides = side::both(plan).await?;
    let mut measured = [Measured::default(), Measured::default()];
    for number in 0..plan.starts {
        for (side, measured) in sides.iter_mut().zip(&mut measured) {
            side.kill().await?;
            std::fs::remove_dir_all(side.data())?;
            std::fs::create_dir(side.data())?;
            let took = side.restart("/").await?;
            measured.empty_ms.push(took.as_secs_f64() * 1e3);
        }
        progress.step(|| format!("{} of {}, empty", number + 1, plan.starts));
    }
    let last = node(NODES - 1);
    for side in &mut sides {
        progress.step(|| format!("{NODES} nodes for {}", side.name));
        fill(side).await?;
        // ZooKeeper writes a snapshot of everything whenever it starts.
        side.restart(&last).await?;
    }
    for number in 0..plan.starts {
        for (side, measured) in sides.iter_mut().zip(&mut measured) {
            let took = side.restart(&last).await?;
            measured.full_ms.push(took.as_secs_f64() * 1e3);
            measured.memory.push(side.memory().await?);
        }
        progress.step(|| format!("{} of {}, with {NODES} nodes", number + 1, plan.starts));
    }
    let notes = vec![format!(
        "Killed before each start; the answer is to a request for a node. ZooKeeper's JVM has {}.",
        plan.jvm.join(" ")
    )];
    Ok(pair::section("start", &pairs(&measured)?, notes))
}

fn node(number: usize) -> String {
    format!("{ABOVE}/{number:06}")
}

/// Creates the nodes, and waits for a snapshot.
async fn fill(side: &Side) -> Result<(), Failure> {
    let mut probe = Probe::connect(side.address(), &new_session(40_000)).await?;
    probe.call(&create(ABOVE)).await?.response()?;
    let paths: Vec<String> = (0..NODES).map(node).collect();
    pipeline(&mut probe, paths.iter().map(|path| create(path))).await?;
    let begin = stopwatch::now();
    while !has_snapshot(&side.data())? {
        if begin.elapsed() > PATIENCE {
            return Err(format!("{} writes no snapshot", side.name).into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Whether the directory has a snapshot that is not empty: `snapshot-N` of our server, or
/// `version-2/snapshot.N` of ZooKeeper.
fn has_snapshot(data: &Path) -> Result<bool, Failure> {
    for above in [data.to_owned(), data.join("version-2")] {
        let Ok(entries) = std::fs::read_dir(above) else {
            continue;
        };
        for entry in entries {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("snapshot") && !name.ends_with(".draft") {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn pairs([ours, theirs]: &[Measured; 2]) -> Result<Vec<Pair>, Failure> {
    let start = Some(Ask::AtMost(LONGEST_START));
    let memory = |of: fn(&Memory) -> f64| {
        [ours, theirs].map(|measured| measured.memory.iter().map(of).collect::<Vec<f64>>())
    };
    let ([our_rss, their_rss], [our_pss, their_pss]) = (memory(|of| of.rss), memory(|of| of.pss));
    let full = format!("with {NODES} nodes");
    let least = Some(Ask::RatioAtMost(MOST_MEMORY));
    Ok(vec![
        Pair::new(
            "start, empty directory",
            "ms",
            [&ours.empty_ms, &theirs.empty_ms],
            start,
        )?,
        Pair::new(
            format!("start, {full}"),
            "ms",
            [&ours.full_ms, &theirs.full_ms],
            start,
        )?,
        Pair::new(format!("RSS {full}"), "MiB", [&our_rss, &their_rss], least)?,
        Pair::new(format!("PSS {full}"), "MiB", [&our_pss, &their_pss], least)?,
    ])
}
