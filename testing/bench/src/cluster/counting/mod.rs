//! The counting job of `examples/jobs/count`, beside Flink's SQL that counts the same file.
//!
//! ```text
//!   input.rs       the file
//!   ours.rs        the job on a cluster of this program's; processes.rs: what it takes, whether it reads
//!   flink.rs       the same by others/flink_counting.py
//! ```
//!
//! Both clusters stand all the time, and take turns.

mod flink;
mod input;
mod ours;
mod processes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::args::ClusterArgs;
use crate::progress::Progress;
use crate::report::{self, Section};
use crate::stats::{Statistic, Summary};
use crate::{Failure, program};
use flink::{Flink, Sql};
use ours::Ours;

/// Of the jobs: one, and one for each processor of a small machine.
const TASKS: [u32; 2] = [1, 2];

/// Of the jobs under which a process is killed.
const KILLED_TASKS: u32 = 2;

/// How much longer the file is that is read while a process is killed, so that it does not end.
const LONGER: u64 = 8;

/// When a process is killed: in the middle between two checkpoints, whose interval is 1 s.
const AFTER_CHECKPOINT: Duration = Duration::from_millis(500);

/// How often it is looked whether somebody reads.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// After this time something that was expected has not happened.
const PATIENCE: Duration = Duration::from_secs(600);

struct Input {
    path: PathBuf,
    records: u64,
}

/// A file that was counted once.
struct Turn {
    records: u64,
    took: Duration,
    /// Of all processes of the system, but not of the client that submits.
    cpu: Duration,
}

/// What is killed with -9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    /// The leading JobManager.
    Coordinator,
    /// A TaskManager that runs a task.
    Worker,
}

/// What a kill cost.
struct Stopped {
    /// The longest time in which nobody read.
    pause: Duration,
    /// From the kill to the next completed checkpoint, when output goes on.
    checkpoint: Duration,
}

/// A row of the tables.
struct Row {
    system: String,
    tasks: u32,
    turns: Vec<Turn>,
}

pub(super) async fn measure(
    above: &Path,
    program: &Path,
    args: &ClusterArgs,
) -> Result<Vec<Section>, Failure> {
    let count = program::find_example("incumbent-task", "count")?;
    let dir = tempfile::Builder::new()
        .prefix("incumbent-bench-")
        .tempdir_in(above)?;
    // As the system names it: links would hide who reads.
    let place = dir.path().canonicalize()?;
    let input = |name: &str, records| -> Result<Input, Failure> {
        let path = place.join(name);
        input::make(&path, records)?;
        Ok(Input { path, records })
    };
    let (short, long) = (
        input("input.ndjson", args.records)?,
        input("longer.ndjson", args.records * LONGER)?,
    );
    let mut ours = Ours::start(program, above, &count, &place, KILLED_TASKS).await?;
    let mut notes = Vec::new();
    let mut flink = None;
    if args.flink {
        let _progress = Progress::new("Flink");
        match Flink::start(program, KILLED_TASKS).await {
            Ok(started) => flink = Some(started),
            Err(failure) => notes.push(format!("Flink was not measured: {failure}.")),
        }
    } else {
        notes.push("Flink was left out: --flink measures it, too.".into());
    }
    let rows = turns(&mut ours, flink.as_mut(), &short, args.turns).await?;
    let kills = kills(&mut ours, flink.as_mut(), &long, args.turns).await?;
    let has_flink = flink.is_some();
    if let Some(flink) = flink {
        flink.end().await?;
    }
    Ok(vec![
        speed(&rows, &notes, has_flink),
        losses(&kills, &notes),
    ])
}

/// Everybody in turns, with a first turn that does not count: Java compiles in it.
async fn turns(
    ours: &mut Ours<'_>,
    mut flink: Option<&mut Flink>,
    input: &Input,
    turns: u32,
) -> Result<Vec<Row>, Failure> {
    let mut progress = Progress::new("the counting job");
    let mut rows = Vec::new();
    for tasks in TASKS {
        rows.push(row("Incumbent", "", tasks));
        if let Some(flink) = &flink {
            rows.push(row("Flink", &flink.version, tasks));
            rows.push(row(
                "Flink",
                &format!("{}, mini-batches", flink.version),
                tasks,
            ));
        }
    }
    for turn in 0..=turns {
        let mut done = Vec::new();
        for tasks in TASKS {
            done.push(ours.turn(input, tasks).await?);
            if let Some(flink) = flink.as_deref_mut() {
                done.push(flink.turn(input, tasks, Sql::Default).await?);
                done.push(flink.turn(input, tasks, Sql::MiniBatch).await?);
            }
        }
        if turn > 0 {
            for (row, turn) in rows.iter_mut().zip(done) {
                row.turns.push(turn);
            }
        }
        progress.step(|| format!("{turn} of {turns} turns"));
    }
    Ok(rows)
}

fn row(system: &str, version: &str, tasks: u32) -> Row {
    Row {
        system: format!("{system} {version}").trim().to_owned(),
        tasks,
        turns: Vec::new(),
    }
}

/// By system and what is killed.
type Kills = Vec<(String, Killed, Vec<Stopped>)>;

async fn kills(
    ours: &mut Ours<'_>,
    mut flink: Option<&mut Flink>,
    input: &Input,
    rounds: u32,
) -> Result<Kills, Failure> {
    let mut progress = Progress::new("the counting job, killed");
    let mut kills = Vec::new();
    for killed in [Killed::Coordinator, Killed::Worker] {
        let mut ours_stopped = Vec::new();
        let mut flink_stopped = Vec::new();
        for round in 0..rounds {
            ours_stopped.push(ours.kill(killed, input, KILLED_TASKS).await?);
            if let Some(flink) = flink.as_deref_mut() {
                flink_stopped.push(flink.kill(killed, input, KILLED_TASKS).await?);
            }
            progress.step(|| format!("{killed:?}: {} of {rounds} rounds", round + 1));
        }
        kills.push(("Incumbent".into(), killed, ours_stopped));
        if let Some(flink) = &flink {
            kills.push((format!("Flink {}", flink.version), killed, flink_stopped));
        }
    }
    Ok(kills)
}

fn speed(rows: &[Row], notes: &[String], has_flink: bool) -> Section {
    let mut table = vec![
        ["", "tasks", "records a CPU-second", "records a second"]
            .map(String::from)
            .to_vec(),
    ];
    let mut found = Vec::new();
    for row in rows {
        let per = |of: fn(&Turn) -> Duration| {
            let each = row.turns.iter();
            Summary::of(each.map(|turn| turn.records as f64 / of(turn).as_secs_f64().max(0.01)))
        };
        let (cpu, wall) = (per(|turn| turn.cpu), per(|turn| turn.took));
        table.push(vec![
            row.system.clone(),
            row.tasks.to_string(),
            cpu.as_ref().map(report::spread).unwrap_or_default(),
            wall.as_ref().map(report::spread).unwrap_or_default(),
        ]);
        found.push(json!({
            "system": row.system,
            "tasks": row.tasks,
            "records_a_cpu_second": median(cpu.as_ref()),
            "records_a_second": median(wall.as_ref()),
        }));
    }
    let mut notes = notes.to_vec();
    notes.push(
        "Each task of the counting job reads and parses the whole file, and counts its own keys; it writes what was added, \
         by key, with each checkpoint."
            .into(),
    );
    if has_flink {
        notes.push(
            "Flink divides the file, and sends records to the task that has the key; it parses with Jackson and writes to \
             no file (`blackhole`). State on its heap, checkpoints each second, a heap of 1 GiB. A first turn warms up and \
             does not count; Java goes on compiling after it, so more turns show Flink faster. The processes of its client and of its ZooKeeper do not count either."
                .into(),
        );
    }
    Section {
        name: "the counting job",
        rows: table,
        notes,
        json: json!(found),
        has_miss: false,
    }
}

fn losses(kills: &Kills, notes: &[String]) -> Section {
    let mut table = vec![
        [
            "",
            "kill -9 of",
            "nobody reads for, ms",
            "to the next checkpoint, ms",
        ]
        .map(String::from)
        .to_vec(),
    ];
    let mut found = Vec::new();
    for (system, killed, stopped) in kills {
        let of = |of: fn(&Stopped) -> Duration| Summary::of_millis(stopped.iter().map(of));
        let (pause, checkpoint) = (of(|one| one.pause), of(|one| one.checkpoint));
        let what = match killed {
            Killed::Coordinator => "the leading JobManager",
            Killed::Worker => "a TaskManager",
        };
        table.push(vec![
            system.clone(),
            what.into(),
            pause.as_ref().map(report::spread).unwrap_or_default(),
            checkpoint.as_ref().map(report::spread).unwrap_or_default(),
        ]);
        found.push(json!({
            "system": system,
            "killed": what,
            "pause_ms": median(pause.as_ref()),
            "checkpoint_ms": median(checkpoint.as_ref()),
        }));
    }
    let mut notes = notes.to_vec();
    notes.push(format!(
        "{KILLED_TASKS} tasks, checkpoints each second, the kill {AFTER_CHECKPOINT:?} after one; a standby of each is there. Restarts without a delay; timeouts are the defaults."
    ));
    Section {
        name: "the counting job, when a process is killed",
        rows: table,
        notes,
        json: json!(found),
        has_miss: false,
    }
}

fn median(summary: Option<&Summary>) -> Value {
    json!(summary.map(|summary| summary.get(Statistic::Median)))
}
