//! The keyed count on one processor beside a loop without an engine, and what checkpoints cost.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use super::ours::Ours;
use super::row::{Row, median, verdict};
use super::{INTERVAL_MS, Programs, Turn, account, input};
use crate::args::StreamArgs;
use crate::progress::Progress;
use crate::report::{self, Section};
use crate::stats::Summary;
use crate::{Failure, stopwatch};

/// Of the plain loop's records a CPU-second, the job should do at least this part.
const PLAIN: f64 = 0.8;

/// A checkpoint each second should cost at most so many hundredths of what a job takes.
const CHECKPOINTS: f64 = 3.0;

/// Longer than any turn: no checkpoint is made.
const NEVER_MS: u64 = 3_600_000;

pub(super) async fn measure(
    programs: &Programs,
    place: &Path,
    ours: &mut Ours,
    args: &StreamArgs,
) -> Result<Section, Failure> {
    let input = input::make(programs, place, args.events, 1).await?;
    let mut progress = Progress::new("the plain loop");
    let mut loops = Row::new("count", "a plain loop in Rust");
    let mut never = Row::new("count", "Incumbent, 1 task, no checkpoints");
    let mut often = Row::new("count", "Incumbent, 1 task, a checkpoint each second");
    for turn in 0..=args.turns {
        let alone = plain(programs, &input).await?;
        // They take turns to be first: a machine that gets slower would count against the second.
        let (without, with) = if turn % 2 == 0 {
            let without = counted(ours, &input, NEVER_MS).await?;
            (without, counted(ours, &input, INTERVAL_MS).await?)
        } else {
            let with = counted(ours, &input, INTERVAL_MS).await?;
            (counted(ours, &input, NEVER_MS).await?, with)
        };
        if turn > 0 {
            loops.turns.push(alone);
            never.turns.push(without);
            often.turns.push(with);
        }
        progress.step(|| format!("{turn} of {} turns", args.turns));
    }
    let speed = |row: &Row| median(row.per_cpu_second()).unwrap_or(f64::NAN);
    let of_loop = speed(&never) / speed(&loops);
    // Turn by turn: what the machine does meanwhile takes from both.
    let costs = never.turns.iter().zip(&often.turns);
    let costs = costs.map(|(without, with)| (with.cpu.div_duration_f64(without.cpu) - 1.0) * 100.0);
    let costs = Summary::of(costs);
    let cost = median(costs.clone()).unwrap_or(f64::NAN);
    let none = || ["", "", "", ""].map(String::from);
    let mut rows = vec![
        ["", "", "k/CPU-s", "k/s", "MiB", "", "is", "aim", " "]
            .map(String::from)
            .to_vec(),
        loops.cells(),
        never.cells(),
        often.cells(),
    ];
    rows[1].extend(none());
    rows[2].extend([
        "of the loop".into(),
        report::number(of_loop),
        format!("≥ {PLAIN}"),
        verdict(of_loop >= PLAIN),
    ]);
    rows[3].extend([
        "checkpoints cost".into(),
        format!(
            "{} %",
            costs.as_ref().map(report::spread).unwrap_or_default()
        ),
        format!("≤ {CHECKPOINTS} %"),
        verdict(cost <= CHECKPOINTS),
    ]);
    Ok(Section {
        name: "beside a plain loop",
        rows,
        notes: vec![
            "The loop reads lines, parses them into the same types, and counts in a map, in one thread. Of the job, all \
             processes of the cluster count. What checkpoints cost is compared turn by turn."
                .into(),
        ],
        json: json!([loops.json(), never.json(), often.json()]),
        has_miss: of_loop < PLAIN || cost > CHECKPOINTS,
    })
}

async fn counted(ours: &mut Ours, input: &input::Input, interval: u64) -> Result<Turn, Failure> {
    let (turn, output) = ours.turn("count", input, 1, interval, &[]).await?;
    fs::remove_dir_all(output)?;
    Ok(turn)
}

async fn plain(programs: &Programs, input: &input::Input) -> Result<Turn, Failure> {
    let before = account::cpu_of_ended()?;
    let begin = stopwatch::now();
    let ended = Command::new(&programs.plain)
        .arg(&input.dir)
        .stdout(Stdio::null())
        .status()
        .await?;
    if !ended.success() {
        return Err("the plain loop failed".into());
    }
    Ok(Turn {
        records: input.records,
        took: begin.elapsed(),
        cpu: account::cpu_of_ended()?.saturating_sub(before),
        memory: 0.0,
    })
}
