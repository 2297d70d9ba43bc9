//! The cost of a fenced commit, compared with a plain compare-and-swap of as many bytes.
//!
//! Both write one record of the same group on the same backend, in turns of a few milliseconds.
//! Each pair of turns gives one ratio. The order within a pair changes without a period. So other
//! load on the machine, and work that one turn leaves to the system, slow both alike. One thread
//! runs both and the node of the group, which is notified of every write of either.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use incumbent::backend::{Backend, Expected, Key, Swapped, Version};
use incumbent::{Leadership, Record, RecordName, Store};
use incumbent_backend_file::FileBackend;
use incumbent_backend_memory::MemoryBackend;
use serde::{Deserialize, Serialize};

use crate::args::CommitsArgs;
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};
use crate::{Failure, stopwatch};

/// The share that fencing may cost, in percent.
const MOST_COST: f64 = 10.0;

/// Length of the data as JSON.
const SIZES: [(&str, usize); 2] = [("100 B", 100), ("10 KiB", 10 * 1024)];

/// Versions that a file backend keeps before it removes old ones: so every turn on files does that
/// once.
const GENERATION: u32 = 64;

/// With fsync, other users of the disk disturb most, so turns are short.
const FEW: u32 = 8;

/// In memory, turns of about a millisecond.
const MANY: u32 = 1024;

/// Turns before anything counts.
const WARM_UP: u32 = 4;

/// What a job's record may look like.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    state: String,
    attempt: u64,
    checkpoints: Vec<Checkpoint>,
    note: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Checkpoint {
    id: u64,
    path: String,
}

/// The plain body: the data, and as many bytes more as the seal takes.
#[derive(Serialize)]
struct Plain<'a> {
    room: &'a str,
    data: &'a Job,
}

/// Two writers of the same bytes.
struct Contest {
    backend: Arc<dyn Backend>,
    record: Record<Job>,
    key: Key,
    version: Version,
    room: String,
    job: Job,
    /// What the plain writer keeps, as a record does.
    last: Option<Job>,
    _leadership: Leadership,
}

pub(crate) async fn measure(above: &Path, args: CommitsArgs) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    for (size, bytes) in SIZES {
        let memory = MemoryBackend::new();
        figures.extend(compare(format!("memory, {size}"), memory, bytes, MANY, args).await?);
        for (name, sync, turn) in [("no fsync", "none", GENERATION), ("fsync", "full", FEW)] {
            let name = format!("file, {name}, {size}");
            let dir = tempfile::tempdir_in(above)?;
            let address = format!("file://{}?sync={sync}", dir.path().display());
            let file = FileBackend::open(&address.parse()?)?;
            figures.extend(compare(name, file, bytes, turn, args).await?);
        }
    }
    Ok(figures)
}

async fn compare(
    name: String,
    backend: impl Backend + Clone,
    bytes: usize,
    turn: u32,
    args: CommitsArgs,
) -> Result<Vec<Figure>, Failure> {
    let contest = Contest::new(backend, bytes).await?;
    let what = format!("commits on {name}");
    let seconds = Duration::from_secs(args.seconds);
    let pairs = contest.run(what, turn, seconds).await?;
    let rate = |took: Duration| f64::from(turn) / took.as_secs_f64();
    let fenced = Summary::of(pairs.iter().map(|(fenced, _)| rate(*fenced)));
    let plain = Summary::of(pairs.iter().map(|(_, plain)| rate(*plain)));
    let cost = Summary::of(
        pairs
            .iter()
            .map(|(fenced, plain)| (fenced.as_secs_f64() / plain.as_secs_f64() - 1.0) * 100.0),
    );
    let micros = |took: Duration| took.as_secs_f64() * 1e6 / f64::from(turn);
    let more = Summary::of(
        pairs
            .iter()
            .map(|(fenced, plain)| micros(*fenced) - micros(*plain)),
    );
    let target = [(Statistic::Median, MOST_COST)];
    let figures = [
        fenced.map(|fenced| Figure::new(format!("commits: {name}"), "/s", fenced, [])),
        plain.map(|plain| Figure::new("· plain compare-and-swap", "/s", plain, [])),
        cost.map(|cost| Figure::new("· fencing costs", "%", cost, target)),
        more.map(|more| Figure::new("· that is, per commit", "µs", more, [])),
    ];
    Ok(figures.into_iter().flatten().collect())
}

impl Contest {
    async fn new(backend: impl Backend + Clone, bytes: usize) -> Result<Self, Failure> {
        let group = Store::on(backend.clone()).group("bench")?;
        let leadership = group.candidate()?.campaign().await;
        leadership.activate().await?;
        let name: RecordName = "fenced".parse()?;
        let mut record = leadership.open::<Job>(&name).await?;
        let backend: Arc<dyn Backend> = Arc::new(backend);
        let job = Job::of_length(bytes)?;
        record.commit(job.clone()).await?;
        let stored = backend
            .read(&Key::record(group.name().clone(), name))
            .await?;
        let length = stored.ok_or("a commit wrote nothing")?.body.len();
        let room = " ".repeat(length - body("", &job)?.len());
        // Created and written once, as the other: versions of files come in generations, and each
        // ends in the same turn.
        let key = Key::record(group.name().clone(), "plain".parse()?);
        let text = body(&room, &job)?;
        let created = backend.swap(&key, Expected::Absent, &text).await?;
        let created = committed(created)?;
        let written = backend.swap(&key, Expected::At(&created), &text).await?;
        Ok(Self {
            backend,
            record,
            key,
            version: committed(written)?,
            room,
            job,
            last: None,
            _leadership: leadership,
        })
    }

    /// Pairs of turns: how long the fenced one took, and the plain one.
    async fn run(
        mut self,
        what: String,
        turn: u32,
        seconds: Duration,
    ) -> Result<Vec<(Duration, Duration)>, Failure> {
        let mut progress = Progress::new(what);
        for _ in 0..WARM_UP {
            self.fenced(turn).await?;
            self.plain(turn).await?;
        }
        let end = stopwatch::now() + seconds;
        let mut pairs = Vec::new();
        while stopwatch::now() < end {
            let pair = if fenced_first(pairs.len()) {
                let fenced = self.fenced(turn).await?;
                (fenced, self.plain(turn).await?)
            } else {
                let plain = self.plain(turn).await?;
                (self.fenced(turn).await?, plain)
            };
            pairs.push(pair);
            progress.step(|| format!("{} pairs of turns", pairs.len()));
        }
        Ok(pairs)
    }

    async fn fenced(&mut self, times: u32) -> Result<Duration, Failure> {
        // Let the watch finish the work of the other turn first.
        tokio::task::yield_now().await;
        let begin = stopwatch::now();
        for _ in 0..times {
            let job = self.next();
            self.record.commit(job).await?;
        }
        Ok(begin.elapsed())
    }

    async fn plain(&mut self, times: u32) -> Result<Duration, Failure> {
        tokio::task::yield_now().await;
        let begin = stopwatch::now();
        for _ in 0..times {
            let job = self.next();
            let text = body(&self.room, &job)?;
            let expected = Expected::At(&self.version);
            let swapped = self.backend.swap(&self.key, expected, &text).await?;
            self.version = committed(swapped)?;
            self.last = Some(job);
        }
        Ok(begin.elapsed())
    }

    /// Something that was not written yet.
    fn next(&mut self) -> Job {
        self.job.attempt = (self.job.attempt + 1) % 1_000_000;
        self.job.clone()
    }
}

impl Job {
    /// One of about this many bytes.
    fn of_length(bytes: usize) -> Result<Self, Failure> {
        let mut job = Self {
            state: "running".into(),
            attempt: 0,
            checkpoints: Vec::new(),
            note: String::new(),
        };
        for id in 1.. {
            let path = format!("s3://bucket/checkpoints/job-17/{id:012}");
            job.checkpoints.push(Checkpoint { id, path });
            if serde_json::to_vec(&job)?.len() > bytes {
                job.checkpoints.pop();
                break;
            }
        }
        let short = bytes.saturating_sub(serde_json::to_vec(&job)?.len());
        job.note = "x".repeat(short);
        Ok(job)
    }
}

/// The Thue-Morse sequence: strict alternation could fall into step with periodic work of the
/// system.
fn fenced_first(pair: usize) -> bool {
    pair.count_ones().is_multiple_of(2)
}

fn body(room: &str, data: &Job) -> Result<Vec<u8>, Failure> {
    Ok(serde_json::to_vec(&Plain { room, data })?)
}

fn committed(swapped: Swapped) -> Result<Version, Failure> {
    match swapped {
        Swapped::Committed(version) => Ok(version),
        Swapped::Conflict => Err("a conflict without another writer".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_have_the_length_that_is_told() {
        for (_, bytes) in SIZES {
            let length = serde_json::to_vec(&Job::of_length(bytes).unwrap())
                .unwrap()
                .len();
            assert_eq!(length, bytes);
        }
    }

    #[tokio::test]
    async fn both_writers_write_as_many_bytes() {
        let memory = MemoryBackend::new();
        let mut contest = Contest::new(memory.clone(), 100).await.unwrap();
        contest.fenced(20).await.unwrap();
        contest.plain(20).await.unwrap();
        let mut lengths = Vec::new();
        for name in ["fenced", "plain"] {
            let key = Key::record("bench".parse().unwrap(), name.parse().unwrap());
            lengths.push(memory.read(&key).await.unwrap().unwrap().body.len());
        }
        // Numbers grow by a digit or two.
        assert!(lengths[0].abs_diff(lengths[1]) < 8, "{lengths:?}");
    }
}
