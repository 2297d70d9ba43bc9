//! The keyed count and Nexmark's queries, by us and by Flink.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::flink::{Flink, lines_below};
use super::ours::Ours;
use super::row::{Row, median, verdict};
use super::{INTERVAL_MS, Programs, input, sql};
use crate::Failure;
use crate::args::StreamArgs;
use crate::progress::Progress;
use crate::report::{self, Section};

/// The queries, with how many times more records a CPU-second we should do than Flink.
const QUERIES: [(&str, f64); 4] = [("count", 3.0), ("q0", 3.0), ("q5", 2.0), ("q8", 2.0)];

/// Of Flink's memory, we should need at most this part.
const MEMORY: f64 = 0.2;

pub(super) async fn measure(
    programs: &Programs,
    place: &Path,
    ours: &mut Ours,
    flinks: &mut [Flink],
    notes: &[String],
    args: &StreamArgs,
) -> Result<Section, Failure> {
    let tasks = args.tasks;
    let input = input::make(programs, place, args.events, tasks).await?;
    let others: Vec<u32> = flinks.iter().filter_map(Flink::root).collect();
    let mut table = vec![head()];
    let (mut found, mut has_miss) = (Vec::new(), false);
    for (query, aim) in QUERIES {
        let mut progress = Progress::new(query);
        let mut rows = vec![Row::new(query, "Incumbent")];
        for flink in flinks.iter() {
            rows.push(Row::new(query, format!("Flink {}", flink.version)));
            if query == "count" {
                let system = format!("Flink {}, mini-batches", flink.version);
                rows.push(Row::new(query, system));
            }
        }
        // A first turn does not count: Java compiles in it.
        for turn in 0..=args.turns {
            let mut done = Vec::new();
            let (ours_turn, output) = ours
                .turn(query, &input, tasks, INTERVAL_MS, &others)
                .await?;
            let lines = lines_below(&output)?;
            fs::remove_dir_all(&output)?;
            done.push(ours_turn);
            for flink in flinks.iter_mut() {
                for mini_batch in [false, true] {
                    if mini_batch && query != "count" {
                        continue;
                    }
                    let output = place.join("flink");
                    let statements = sql::statements(query, &input.dir, &output);
                    let turn = flink
                        .turn(statements, input.records, tasks, mini_batch)
                        .await?;
                    done.push(turn);
                    if query != "count" {
                        let theirs = lines_below(&output)?;
                        if theirs != lines {
                            let version = &flink.version;
                            return Err(format!(
                                "{query}: we have {lines} results, Flink {version} has {theirs}"
                            )
                            .into());
                        }
                        fs::remove_dir_all(&output)?;
                    }
                }
            }
            if turn > 0 {
                for (row, turn) in rows.iter_mut().zip(done) {
                    row.turns.push(turn);
                }
            }
            progress.step(|| format!("{turn} of {} turns", args.turns));
        }
        for (index, row) in rows.iter().enumerate() {
            let mut cells = row.cells();
            if index == 0 {
                cells.extend(["", "", "", "", "", ""].map(String::from));
            } else {
                let ratio = over(
                    median(rows[0].per_cpu_second()),
                    median(row.per_cpu_second()),
                );
                let memory = over(median(rows[0].memory()), median(row.memory()));
                has_miss |= ratio < aim || memory > MEMORY;
                cells.extend([
                    report::number(ratio),
                    format!("≥ {aim:.0}"),
                    verdict(ratio >= aim),
                ]);
                cells.extend([
                    report::number(memory),
                    format!("≤ {MEMORY}"),
                    verdict(memory <= MEMORY),
                ]);
            }
            table.push(cells);
            found.push(row.json());
        }
    }
    let mut notes = notes.to_vec();
    notes.push(format!(
        "{} events of Nexmark in {tasks} files of JSON lines, {tasks} tasks, a checkpoint each second, on the same two \
         processors in turns; a first turn does not count. Thousands of records; median (least–most). CPU: all processes of \
         the cluster, with tasks and guards; of Flink the JobManager and the TaskManager, without its client. Memory: the \
         most that these had together.",
        args.events
    ));
    notes.push(
        "Both write what they find as JSON lines, exactly once, and both found the same number of results; the count \
         goes nowhere. Flink has its state on the heap, a heap of 1 GiB, and reuses objects."
            .into(),
    );
    Ok(Section {
        name: "queries",
        rows: table,
        notes,
        json: json!(found),
        has_miss,
    })
}

fn head() -> Vec<String> {
    [
        "query",
        "",
        "k/CPU-s",
        "k/s",
        "MiB",
        "ours/it",
        "aim",
        " ",
        "memory, ours/it",
        "aim",
        " ",
    ]
    .map(String::from)
    .to_vec()
}

fn over(ours: Option<f64>, theirs: Option<f64>) -> f64 {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => ours / theirs,
        _ => f64::NAN,
    }
}
