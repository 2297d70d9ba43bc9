//! A source and a sink of one's own: lines of a file, and files that appear when they are whole.
//!
//! `own INPUT OUTPUT`: counts the words of a file, and writes them to a directory. All tasks have
//! to see both.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use incumbent_stream::{
    At, Batch, BoxError, Found, Job, Read, Reader, Sink, Source, Staged, Writer, run,
};
use serde_json::{Value, json};

/// The lines of a file: one split, as they have to be read in order.
struct Lines {
    path: PathBuf,
}

impl Source for Lines {
    type Record = String;
    type Reader = LineReader;

    fn open(&self, at: &At, positions: BTreeMap<String, Value>) -> Result<LineReader, BoxError> {
        let mut file = BufReader::new(File::open(&self.path)?);
        // Where the last checkpoint was; at the beginning if there was none.
        let offset = positions.get("lines").and_then(Value::as_u64).unwrap_or(0);
        if at.is_mine("lines") {
            file.seek(SeekFrom::Start(offset))?;
        }
        Ok(LineReader { file, offset })
    }
}

struct LineReader {
    file: BufReader<File>,
    offset: u64,
}

/// How many lines are read at a time: the worker does other things in between.
const BATCH: usize = 1_000;

impl Reader for LineReader {
    type Record = String;

    fn discover(&mut self) -> Result<Found, BoxError> {
        // The caller reads those that are this rank's.
        Ok(Found {
            splits: vec!["lines".to_owned()],
            is_complete: true,
        })
    }

    fn read(&mut self, _: &str, batch: &mut Batch<String>) -> Result<Read, BoxError> {
        for _ in 0..BATCH {
            let mut line = String::new();
            let bytes = self.file.read_line(&mut line)?;
            if bytes == 0 {
                return Ok(Read::Ended);
            }
            self.offset += bytes as u64;
            batch.push(line, bytes);
        }
        Ok(Read::More)
    }

    /// Behind all that `read` has given: a restart begins here.
    fn position(&self, _: &str) -> Value {
        json!(self.offset)
    }
}

/// A directory of files that appear when their checkpoint is committed.
struct Appearing {
    directory: PathBuf,
}

impl Sink<(String, u64)> for Appearing {
    type Writer = AppearingWriter;

    fn open(&self, at: &At, staged: Vec<Staged>) -> Result<AppearingWriter, BoxError> {
        fs::create_dir_all(&self.directory)?;
        let writer = AppearingWriter {
            directory: self.directory.clone(),
            prefix: format!("{}-{}-{}", at.job, at.attempt, at.rank),
            text: String::new(),
            staged: Vec::new(),
        };
        // Their checkpoint is committed, and nobody knows whether they have appeared. Each has one
        // rank that takes care of it, also if there are more or fewer ranks now.
        for file in staged.iter().filter(|file| at.is_mine(&file.name)) {
            publish(&writer.directory, &file.name)?;
        }
        Ok(writer)
    }
}

struct AppearingWriter {
    directory: PathBuf,
    /// No other attempt and no other rank has files of this name.
    prefix: String,
    text: String,
    staged: Vec<Staged>,
}

impl AppearingWriter {
    /// Writes what is new to a hidden file that outlives the machine.
    fn hide(&mut self, number: u64, name: String) -> Result<Vec<Staged>, BoxError> {
        if !self.text.is_empty() {
            let mut file = File::create(hidden(&self.directory, &name))?;
            file.write_all(self.text.as_bytes())?;
            file.sync_all()?;
            File::open(&self.directory)?.sync_all()?;
            self.text.clear();
            self.staged.push(Staged {
                name,
                from: number,
                note: Value::Null,
                bytes: None,
            });
        }
        // All that is promised and not published, of earlier numbers too.
        Ok(self.staged.clone())
    }
}

impl Writer<(String, u64)> for AppearingWriter {
    fn write(&mut self, records: Vec<(String, u64)>) -> Result<(), BoxError> {
        for (word, count) in records {
            self.text.push_str(&format!("{word} {count}\n"));
        }
        Ok(())
    }

    fn stage(&mut self, number: u64) -> Result<Vec<Staged>, BoxError> {
        let name = format!("{}-{number}", self.prefix);
        self.hide(number, name)
    }

    fn stage_last(&mut self) -> Result<Vec<Staged>, BoxError> {
        let name = format!("{}-last", self.prefix);
        self.hide(0, name)
    }

    fn commit(&mut self, number: u64) -> Result<(), BoxError> {
        for file in self.staged.extract_if(.., |file| file.from <= number) {
            publish(&self.directory, &file.name)?;
        }
        Ok(())
    }
}

fn hidden(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!(".{name}"))
}

/// It may have been done before: then there is nothing left to rename.
fn publish(directory: &Path, name: &str) -> Result<(), BoxError> {
    let shown = directory.join(name);
    match fs::rename(hidden(directory, name), &shown) {
        Err(_) if shown.exists() => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(File::open(directory)?.sync_all()?),
    }
}

/// Counts words; what comes out is each word with its count so far.
fn words(input: PathBuf, output: PathBuf) -> impl Fn(&Job<'_>) + Send + Sync + 'static {
    move |job| {
        let path = input.clone();
        let directory = output.clone();
        let word = |line: String| {
            let words = line.split_whitespace().map(str::to_owned);
            words.collect::<Vec<_>>()
        };
        job.source("lines", Lines { path })
            .flat_map(word)
            .key_by(|word| word.clone())
            .state("counts", |word, _, count: &mut u64, out| {
                *count += 1;
                out.give((word.clone(), *count));
            })
            .sink("words", Appearing { directory });
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    match (arguments.next(), arguments.next()) {
        (Some(input), Some(output)) => run(words(input, output)),
        _ => {
            eprintln!("own INPUT OUTPUT: counts the words of a file");
            ExitCode::from(64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has appeared, and nothing that is hidden.
    fn appeared(directory: &Path) -> Vec<String> {
        let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap());
        let shown = files.filter(|file| !file.file_name().to_string_lossy().starts_with('.'));
        let texts = shown.map(|file| fs::read_to_string(file.path()).unwrap());
        let mut lines: Vec<String> = texts.flat_map(|text| lines(&text)).collect();
        lines.sort();
        lines
    }

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn words_are_counted_and_appear() {
        let directory = tempfile::tempdir().unwrap();
        let (input, output) = (directory.path().join("in"), directory.path().join("out"));
        fs::write(&input, "one two\ntwo\nthree two\n").unwrap();
        let ended = run(words(input, output.clone()));
        assert_eq!(format!("{ended:?}"), format!("{:?}", ExitCode::SUCCESS));
        let wanted = ["one 1", "three 1", "two 1", "two 2", "two 3"];
        assert_eq!(appeared(&output), wanted);
    }

    #[test]
    fn a_file_appears_once_however_often_it_is_published() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(hidden(directory.path(), "a"), "text\n").unwrap();
        publish(directory.path(), "a").unwrap();
        publish(directory.path(), "a").unwrap();
        assert_eq!(appeared(directory.path()), ["text"]);
        assert!(publish(directory.path(), "b").is_err(), "it is lost");
    }
}
