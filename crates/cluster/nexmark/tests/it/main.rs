//! Each query as a program of its own, compared with what SQLite says of the same files.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use incumbent_nexmark::Sequence;
use serde_json::Value;
use tempfile::TempDir;

/// Two minutes of event time: some windows, and some auctions that end.
const EVENTS: u64 = 12_000;
const GAP_MICROS: u64 = 10_000;

/// So many events are mixed: they are late by less than what queries allow for.
const DISORDER: u64 = 200;

const FILES: u64 = 5;

fn events() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let sequence = Sequence::new().gap_micros(GAP_MICROS).disorder(DISORDER);
    let mut files = vec![String::new(); FILES as usize];
    for number in 0..EVENTS {
        let line = serde_json::to_string(&sequence.event(number)).unwrap();
        let file = &mut files[(number % FILES) as usize];
        file.push_str(&line);
        file.push('\n');
    }
    for (index, text) in files.iter().enumerate() {
        fs::write(dir.path().join(format!("events-{index}.ndjson")), text).unwrap();
    }
    dir
}

/// The rows, and how often each is there.
type Rows = BTreeMap<String, u64>;

fn rows(lines: &str) -> Rows {
    let mut rows = Rows::new();
    for line in lines.lines() {
        // Fields in one order, whatever the writer's was.
        let row: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        *rows
            .entry(serde_json::to_string(&row).unwrap())
            .or_default() += 1;
    }
    rows
}

fn by_sql(query: &str, input: &Path) -> Rows {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = fs::read_dir(input)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let answered = Command::new("python3")
        .arg(here.join("tests/it/reference.py"))
        .arg(here.join(format!("sql/{query}.sql")))
        .args(files)
        .output()
        .expect("the reference needs python3");
    let trouble = String::from_utf8_lossy(&answered.stderr);
    assert!(answered.status.success(), "{query}: {trouble}");
    rows(&String::from_utf8(answered.stdout).unwrap())
}

fn by_job(query: &str, input: &Path, tasks: u32) -> String {
    let output = tempfile::tempdir().unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_nexmark"))
        .arg(query)
        .args([Path::new("--input"), input])
        .args([Path::new("--output"), output.path()])
        .env("INCUMBENT_STREAM_TASKS", tasks.to_string())
        .output()
        .unwrap();
    let trouble = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{query}: {trouble}");
    let mut text = String::new();
    for entry in fs::read_dir(output.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("part-") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
    text
}

fn compare(query: &str) {
    let input = events();
    let expected = by_sql(query, input.path());
    assert!(
        !expected.is_empty(),
        "{query} finds nothing: use more events"
    );
    for tasks in [1, 3] {
        let found = rows(&by_job(query, input.path(), tasks));
        let missing: Vec<_> = expected
            .iter()
            .filter(|row| found.get(row.0) != Some(row.1))
            .collect();
        let more: Vec<_> = found
            .iter()
            .filter(|row| expected.get(row.0) != Some(row.1))
            .collect();
        assert!(
            missing.is_empty() && more.is_empty(),
            "{query} with {tasks} tasks: {} rows differ: {:?} should be {:?}",
            missing.len().max(more.len()),
            &more[..more.len().min(3)],
            &missing[..missing.len().min(3)],
        );
    }
}

#[test]
fn q0_gives_every_bid() {
    compare("q0");
}

#[test]
fn q1_gives_prices_in_euros() {
    compare("q1");
}

#[test]
fn q2_gives_the_bids_on_certain_auctions() {
    compare("q2");
}

#[test]
fn q3_joins_auctions_with_their_sellers() {
    compare("q3");
}

/// It gives each new average: the one of the most auctions, with the highest of them, is the last.
#[test]
fn q4_ends_with_the_average_of_the_winning_bids() {
    let input = events();
    let expected = by_sql("q4", input.path());
    for tasks in [1, 3] {
        let text = by_job("q4", input.path(), tasks);
        let mut last: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let number = |name: &str| row[name].as_i64().unwrap();
            let best = last.entry(number("category")).or_default();
            *best = (*best).max((number("auctions"), number("average")));
        }
        let last = last.iter().map(|(category, (auctions, average))| {
            format!(r#"{{"auctions":{auctions},"average":{average},"category":{category}}}"#)
        });
        let last: Rows = last.map(|row| (row, 1)).collect();
        assert_eq!(last, expected, "with {tasks} tasks");
    }
}

#[test]
fn q5_finds_the_auctions_with_the_most_bids_of_sliding_windows() {
    compare("q5");
}

#[test]
fn q7_finds_the_highest_bids_of_tumbling_windows() {
    compare("q7");
}

#[test]
fn q8_joins_new_persons_with_their_auctions_in_windows() {
    compare("q8");
}
