//! Writes events as files of JSON lines.
//!
//! ```sh
//! cargo run --release -p incumbent-nexmark --example generate -- --events 10000000 --files 4 DIR
//! ```
//!
//! Event `n` is in file `n` modulo the number of files, so all files are in the order of their
//! times and can be read side by side.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use incumbent_nexmark::Sequence;

const USAGE: &str = "\
usage: generate [--events N] [--files N] [--gap-micros N] [--disorder N] DIR
  --events N       how many [1000000]
  --files N        in how many files [4]
  --gap-micros N   of event time from one to the next [100]
  --disorder N     mix each so many events among themselves [1]";

struct Options {
    events: u64,
    files: u64,
    sequence: Sequence,
    dir: PathBuf,
}

fn main() -> ExitCode {
    let Some(options) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match write(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let (mut events, mut files, mut dir) = (1_000_000, 4, None);
    let mut sequence = Sequence::new();
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next()?.parse::<u64>().ok();
        match argument.as_str() {
            "--events" => events = number()?,
            "--files" => files = number().filter(|files| *files > 0)?,
            "--gap-micros" => sequence = sequence.gap_micros(number()?),
            "--disorder" => sequence = sequence.disorder(number()?),
            _ if argument.starts_with('-') || dir.is_some() => return None,
            _ => dir = Some(PathBuf::from(argument)),
        }
    }
    Some(Options {
        events,
        files,
        sequence,
        dir: dir?,
    })
}

fn write(options: &Options) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(&options.dir)?;
    for file in 0..options.files {
        write_file(
            options,
            file,
            &options.dir.join(format!("events-{file}.ndjson")),
        )?;
    }
    Ok(())
}

fn write_file(options: &Options, file: u64, path: &Path) -> Result<(), Box<dyn Error>> {
    let create = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, create);
    let step = usize::try_from(options.files)?;
    for number in (file..options.events).step_by(step) {
        serde_json::to_writer(&mut out, &options.sequence.event(number))?;
        out.write_all(b"\n")?;
    }
    out.into_inner()?.sync_all()?;
    Ok(())
}
