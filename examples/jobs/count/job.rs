//! The job: read, count, store, publish.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use incumbent_task::{Error, Event, FileSink, Inbox, Task};

use super::input::{self, Record};
use super::state::State;

/// Whatever goes wrong ends the attempt; the next one goes on from the last checkpoint.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn StdError>>;

/// Records between two looks at what the TaskManager says, at full speed.
const BATCH: u64 = 1000;

/// So often a second, if it is paced.
const LOOKS: u64 = 50;

/// What the command line says.
pub(crate) struct Options {
    /// Of input and output, if they are not said.
    directory: PathBuf,
    input: Option<PathBuf>,
    output: Option<PathBuf>,
    /// How the input is made, if it is not there.
    pub(crate) records: u64,
    pub(crate) keys: u64,
    pub(crate) seed: u64,
    /// How many records a task reads a second; 0 for as many as it can.
    pub(crate) rate: u64,
}

impl Options {
    /// Reads `--name value` pairs.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            directory: "/tmp/incumbent-count".into(),
            input: None,
            output: None,
            records: 120_000,
            keys: 100,
            seed: 1,
            rate: 0,
        };
        for pair in arguments.chunks(2) {
            let [name, value] = pair else {
                return Err(format!("{} has no value", pair[0]).into());
            };
            match name.as_str() {
                "--directory" => options.directory = value.into(),
                "--input" => options.input = Some(value.into()),
                "--output" => options.output = Some(value.into()),
                "--records" => options.records = value.parse()?,
                "--keys" => options.keys = value.parse()?,
                "--seed" => options.seed = value.parse()?,
                "--rate" => options.rate = value.parse()?,
                _ => return Err(format!("there is no option {name}").into()),
            }
        }
        options.keys = options.keys.max(1);
        Ok(options)
    }

    fn input(&self) -> PathBuf {
        let usual = || {
            let name = format!("input-{}-{}-{}.ndjson", self.records, self.keys, self.seed);
            self.directory.join(name)
        };
        self.input.clone().unwrap_or_else(usual)
    }

    fn output(&self, task: &Task) -> PathBuf {
        let usual = || self.directory.join(&task.identity().job);
        self.output.clone().unwrap_or_else(usual)
    }
}

/// Runs one task to its end.
pub(crate) fn run(options: &Options) -> Result<()> {
    input::make(
        &options.input(),
        options.records,
        options.keys,
        options.seed,
    )?;
    let task = Task::from_env()?;
    let mut counting = Counting::restored(&task, options)?;
    task.ready()?;
    counting.work(&task.inbox(), options)
}

struct Counting {
    task: Task,
    state: State,
    input: BufReader<File>,
    /// Where the reader is.
    at: u64,
    /// What was counted since the last checkpoint, and is not in the output yet.
    fresh: BTreeMap<String, u64>,
    /// What was added to each key between two checkpoints.
    counts: FileSink,
    /// What each key comes to in the end.
    totals: FileSink,
    has_finished: bool,
}

impl Counting {
    /// What all ranks had, of whatever number; what was promised is published.
    fn restored(task: &Task, options: &Options) -> Result<Self> {
        let mut restored = Vec::new();
        if let Some(restore) = task.restore()? {
            for (_, bytes) in restore.all("state")? {
                restored.push(serde_json::from_slice::<State>(&bytes)?);
            }
        }
        let staged: Vec<_> = restored
            .iter()
            .flat_map(|state| state.staged.iter().cloned())
            .collect();
        let mut counts = FileSink::new(task, options.output(task), "counts")?;
        let mut totals = FileSink::new(task, options.output(task), "totals")?;
        counts.recover(&staged)?;
        totals.recover(&staged)?;
        let state = State::share(restored, task.rank(), task.tasks());
        let mut input = BufReader::new(File::open(options.input())?);
        let at = match state.start() {
            Some(at) => input.seek(SeekFrom::Start(at))?,
            None => input.seek(SeekFrom::End(0))?,
        };
        Ok(Self {
            task: task.clone(),
            state,
            input,
            at,
            fresh: BTreeMap::new(),
            counts,
            totals,
            has_finished: false,
        })
    }

    fn work(&mut self, inbox: &Inbox, options: &Options) -> Result<()> {
        let batch = if options.rate == 0 {
            BATCH
        } else {
            options.rate.div_ceil(LOOKS)
        };
        loop {
            let event = if self.has_finished {
                inbox.wait()?
            } else if !self.read(batch)? {
                self.finish()?;
                continue;
            } else if options.rate == 0 {
                inbox.poll()?
            } else {
                inbox.wait_for(Duration::from_millis(1000 / LOOKS))?
            };
            match event {
                Some(Event::Checkpoint { number, .. }) => self.checkpoint(number)?,
                Some(Event::Committed { number }) => {
                    self.counts.committed(number)?;
                    self.totals.committed(number)?;
                }
                Some(Event::Stop) => return Ok(()),
                // Aborted: what is staged waits for the next checkpoint.
                _ => {}
            }
        }
    }

    /// Counts some records. Returns false at the end of the input.
    fn read(&mut self, records: u64) -> Result<bool> {
        let mut line = String::new();
        for _ in 0..records {
            line.clear();
            let length = self.input.read_line(&mut line)?;
            if length == 0 {
                return Ok(false);
            }
            let record: Record = serde_json::from_str(&line)?;
            let next = self.at + length as u64;
            if self.state.count(&record.key, self.at, next) {
                *self.fresh.entry(record.key).or_default() += 1;
            }
            self.at = next;
        }
        Ok(true)
    }

    fn checkpoint(&mut self, number: u64) -> Result<()> {
        // It was asked before it had finished, and answered with the last files.
        if self.has_finished {
            return Ok(());
        }
        self.state.read_up_to(self.at);
        self.write_fresh()?;
        let mut staged = self.counts.stage(number)?.to_vec();
        staged.extend_from_slice(self.totals.stage(number)?);
        self.state.staged = staged;
        let state = serde_json::to_vec(&self.state)?;
        let mut part = self.task.checkpoint(number);
        let stored = part.put_bytes("state", state).map(drop);
        match stored.and_then(|()| part.ack()) {
            Ok(()) => {}
            // What was staged for it belongs to the next one.
            Err(Error::NotPending { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.task
            .progress(&format!("{} bytes of the input are read", self.at))?;
        Ok(())
    }

    /// The input has ended: the last output, with the totals, and the last state.
    fn finish(&mut self) -> Result<()> {
        self.state.read_up_to(self.at);
        self.write_fresh()?;
        for group in self
            .state
            .groups
            .values_mut()
            .filter(|group| !group.is_done)
        {
            for (key, total) in &group.counts {
                writeln!(
                    self.totals,
                    "{}",
                    serde_json::json!({ "key": key, "total": total })
                )?;
            }
            group.is_done = true;
        }
        let mut staged = self.counts.stage_last()?.to_vec();
        staged.extend_from_slice(self.totals.stage_last()?);
        self.state.staged = staged;
        let mut last = self.task.last();
        last.put_bytes("state", serde_json::to_vec(&self.state)?)?;
        last.ack()?;
        self.has_finished = true;
        println!("all {} bytes are read", self.at);
        Ok(())
    }

    fn write_fresh(&mut self) -> Result<()> {
        for (key, add) in std::mem::take(&mut self.fresh) {
            writeln!(
                self.counts,
                "{}",
                serde_json::json!({ "key": key, "add": add })
            )?;
        }
        Ok(())
    }
}
