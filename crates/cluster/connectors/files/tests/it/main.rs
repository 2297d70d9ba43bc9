//! Files as sources and sinks, driven through the traits as the engine does.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use incumbent_stream::{At, Batch, BoxError, Read, Reader, Source, Waker};
use incumbent_stream_files::{FileReader, FileSet};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod bad;
mod buckets;
mod local;
mod reading;
mod stores;
mod watching;
mod writing;

/// Much longer than anything takes, on any machine: a test that waits longer hangs.
const HANGS: Duration = Duration::from_secs(120);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Row {
    id: u64,
    name: String,
    note: Option<String>,
}

impl Row {
    fn new(id: u64) -> Self {
        Self {
            id,
            // What CSV has to quote.
            name: format!("row \"{id}\",\nof {}", "many ".repeat((id % 7) as usize)),
            note: id.is_multiple_of(3).then(|| format!("ß{id}")),
        }
    }
}

fn rows(ids: std::ops::Range<u64>) -> Vec<Row> {
    ids.map(Row::new).collect()
}

fn ndjson(rows: &[Row]) -> String {
    let lines = rows
        .iter()
        .map(|row| serde_json::to_string(row).unwrap() + "\n");
    lines.collect()
}

fn csv(rows: &[Row]) -> String {
    let mut text = "id,name,note\n".to_owned();
    for row in rows {
        let name = row.name.replace('"', "\"\"");
        let note = row.note.as_deref().unwrap_or_default();
        text += &format!("{},\"{name}\",{note}\n", row.id);
    }
    text
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

fn write(dir: &Path, name: &str, content: impl AsRef<[u8]>) {
    std::fs::write(dir.join(name), content).unwrap();
}

/// A rank of the first attempt, and what it is woken by.
fn woken(rank: u32, tasks: u32) -> (At, Receiver<()>) {
    let (send, wakes) = channel();
    let at = At {
        name: "files".to_owned(),
        job: "0123456789abcdef0123456789abcdef".to_owned(),
        attempt: 1,
        rank,
        tasks,
        waker: Waker::new(move || {
            // A test that is over waits for nothing.
            let _ = send.send(());
        }),
    };
    (at, wakes)
}

/// A source that is being read, with what the engine keeps of it.
struct Reading<T> {
    reader: FileReader<T>,
    wakes: Receiver<()>,
    /// Those that have not ended.
    splits: Vec<String>,
    ended: Vec<String>,
    is_complete: bool,
    records: Vec<T>,
}

impl<T: DeserializeOwned + 'static> Reading<T> {
    fn open(files: &FileSet<T>, rank: u32, tasks: u32) -> Result<Self, BoxError> {
        Self::restore(files, rank, tasks, BTreeMap::new(), Vec::new())
    }

    fn restore(
        files: &FileSet<T>,
        rank: u32,
        tasks: u32,
        positions: BTreeMap<String, Value>,
        ended: Vec<String>,
    ) -> Result<Self, BoxError> {
        let (at, wakes) = woken(rank, tasks);
        let splits = positions.keys().cloned().collect();
        Ok(Self {
            reader: files.open(&at, positions)?,
            wakes,
            splits,
            ended,
            is_complete: false,
            records: Vec::new(),
        })
    }

    fn discover(&mut self) -> Result<(), BoxError> {
        let found = self.reader.discover()?;
        self.is_complete = found.is_complete;
        let is_new = |name: &String| !self.splits.contains(name) && !self.ended.contains(name);
        let new: Vec<_> = found.splits.into_iter().filter(is_new).collect();
        self.splits.extend(new);
        Ok(())
    }

    /// Reads one batch. Returns whether there is any more.
    fn step(&mut self) -> Result<bool, BoxError> {
        loop {
            self.discover()?;
            let mut is_waiting = false;
            for split in self.splits.clone() {
                let mut batch = Batch::default();
                let read = self.reader.read(&split, &mut batch)?;
                if read == Read::Ended {
                    self.splits.retain(|name| *name != split);
                    self.ended.push(split);
                }
                is_waiting |= read == Read::Waiting;
                if read != Read::Waiting || !batch.is_empty() {
                    self.records.extend(batch.into_records());
                    return Ok(true);
                }
            }
            if !is_waiting && self.is_complete {
                return Ok(false);
            }
            self.wakes
                .recv_timeout(HANGS)
                .expect("it wakes the worker when there is more");
        }
    }

    fn positions(&self) -> BTreeMap<String, Value> {
        let position = |name: &String| (name.clone(), self.reader.position(name));
        self.splits.iter().map(position).collect()
    }

    fn read_on(mut self) -> Result<Vec<T>, BoxError> {
        while self.step()? {}
        Ok(self.records)
    }
}

/// All records, by one rank.
fn read_all<T: DeserializeOwned + 'static>(files: &FileSet<T>) -> Result<Vec<T>, BoxError> {
    Reading::open(files, 0, 1)?.read_on()
}

/// An error with its causes.
fn whole(error: &BoxError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
