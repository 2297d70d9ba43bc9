//! A job with three operators with state in a row, windows, sessions and two joins. What it gives
//! does not depend on the order in which records of different tasks meet.
//!
//! Its program is this test program: it runs [`the_program_of_a_stream`] and nothing else.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use incumbent_servers::postgres::Postgres as Server;
use incumbent_stream::{Data, Job, Session, Sliding, Stream, Timestamp, Tumbling, Windowed};
use incumbent_stream_files::{FileSet, Files};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::witness::a_moment;
use super::input::Record;
use super::reference::{DISTANCE, FIVE, GAP, MEETING, Reference, SESSIONS, SEVEN, SLIDE, SLIDING};
use super::rows::{self, Database, Row};
use crate::harness::Done;

/// Where it reads and writes.
const DIR: &str = "STREAM_DIR";

/// How it reaches the PostgreSQL that it writes to as well, if there is one.
const POSTGRES: &str = "STREAM_POSTGRES";

/// How many records a task reads between two pauses; without it, it reads all it can.
const PACE: &str = "STREAM_PACE";
const PAUSE_MS: u64 = 10;

/// Set if its input grows: the times of what comes later are not in order, so nothing is late for a
/// long time. With [`GROWS`] it looks for more; with [`GROWN`] it has all, and ends.
const GROWTH: &str = "STREAM_GROWTH";
const GROWS: &str = "grows";
const GROWN: &str = "grown";

/// How often it looks for more.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Longer than any time between two records of these tests.
const NEVER_LATE: Duration = Duration::from_secs(24 * 3600);

/// Which version of the job it is: the second one has a field and an operator more, the third one
/// lacks the end of the chain.
const VERSION: &str = "STREAM_VERSION";

/// No input that grows begins with so many records.
const MOST_AT_FIRST: u64 = 10_000;

/// The directories that it writes to.
const SINKS: [&str; 5] = ["chain", "sliding", "sessions", "pairs", "met"];

const TEST: &str = "cluster::streams::job::the_program_of_a_stream";

/// Where a job of these tests reads and writes.
pub(super) struct Streaming<'s> {
    pub(super) name: String,
    dir: PathBuf,
    database: Option<Database<'s>>,
}

/// What the first version keeps for a user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Seen {
    n: u64,
}

/// What the second version keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct SeenAndLatest {
    n: u64,
    #[serde(default)]
    latest: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Nth {
    user: u64,
    id: u64,
    n: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Count {
    key: u64,
    n: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pair {
    user: u64,
    record: u64,
    other: u64,
}

fn describe(job: &Job<'_>, dir: &Path) {
    let records = read(job, dir, "records");
    let others = read(job, dir, "others");
    let users = records.key_by(|record| record.user);
    let version: u32 = std::env::var(VERSION).map_or(1, |text| text.parse().unwrap());
    let nth = match version {
        2 => users.state(
            "users",
            |user, record: Record, seen: &mut SeenAndLatest, out| {
                seen.n += 1;
                seen.latest = record.id;
                out.give(Nth::new(*user, &record, seen.n));
            },
        ),
        _ => users.state("users", |user, record: Record, seen: &mut Seen, out| {
            seen.n += 1;
            out.give(Nth::new(*user, &record, seen.n));
        }),
    };
    if version == 2 {
        let tens = nth.key_by(|nth| nth.n % 10);
        let tens = tens.state("tens", |key, _, n: &mut u64, out| {
            *n += 1;
            out.give(Count { key: *key, n: *n });
        });
        tens.sink("by-tens", written(dir, "tens"));
    }
    let postgres = std::env::var(POSTGRES).ok();
    if version < 3 {
        let chain = chain(&nth);
        chain.sink("chain", written(dir, "chain"));
        if let Some(postgres) = &postgres {
            let sink = rows::added(postgres, "chain", ["key", "n"]);
            chain.sink("chain-rows", sink);
        }
    }
    let every = Sliding::of(millis(SLIDING), millis(SLIDE));
    let sliding = nth.key_by(|nth| nth.user).window("in-windows", every);
    sliding.count().sink("sliding", written(dir, "sliding"));
    let sessions = nth.key_by(|nth| nth.user % SESSIONS);
    let sessions = sessions.window("in-sessions", Session::gap(millis(GAP)));
    let sessions = sessions.count();
    sessions.sink("sessions", written(dir, "sessions"));
    if let Some(postgres) = &postgres {
        let columns = ["key", "first", "past", "n"];
        let sink = rows::added(postgres, "sessions", columns);
        sessions.map(row).sink("session-rows", sink);
        let latest = nth.map(|nth| Count {
            key: nth.user,
            n: nth.n,
        });
        latest.sink("latest-rows", rows::latest(postgres));
    }
    let pairs = users.join("near", &others.key_by(|other| other.user));
    let pairs = pairs.within(millis(DISTANCE));
    let pairs = pairs.apply(|user, record: &Record, other: &Record| Pair {
        user: *user,
        record: record.id,
        other: other.id,
    });
    pairs.sink("pairs", written(dir, "pairs"));
    let met = users.join("meeting", &others.key_by(|other| other.user));
    let met = met.window(Tumbling::of(millis(MEETING)));
    let met = met.apply(|user, record: &Record, other: &Record| Pair {
        user: *user,
        record: record.id,
        other: other.id,
    });
    met.sink("met", written(dir, "met"));
}

/// The second and the third operator with state in a row.
fn chain<'s>(nth: &Stream<'s, Nth>) -> Stream<'s, Count> {
    let sevenths = nth.key_by(|nth| nth.n % SEVEN);
    let sevenths = sevenths.state("sevenths", |key, _, n: &mut u64, out| {
        *n += 1;
        out.give(Count { key: *key, n: *n });
    });
    let fifths = sevenths.key_by(|count| count.n % FIVE);
    fifths.state("fifths", |key, _, n: &mut u64, out| {
        *n += 1;
        out.give(Count { key: *key, n: *n });
    })
}

fn row(session: Windowed<u64, u64>) -> Row {
    Row {
        key: session.key,
        first: session.window.start.0,
        past: session.window.end.0,
        n: session.value,
    }
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}

fn read<'s>(job: &Job<'s>, dir: &Path, name: &str) -> Stream<'s, Record> {
    let files = Files::ndjson::<Record>(dir.join(name).display().to_string());
    let pace: Option<u64> = std::env::var(PACE).ok().map(|text| text.parse().unwrap());
    let (files, disorder) = match std::env::var(GROWTH).as_deref() {
        Ok(GROWS) => (files.watch(LOOK_EVERY), NEVER_LATE),
        Ok(GROWN) => (files, NEVER_LATE),
        _ => (files, Duration::ZERO),
    };
    let mut count = 0;
    let records = job.source(name, files);
    let records = records.event_time(|record| Timestamp(record.time), disorder);
    records.map(move |record| {
        count += 1;
        if pace.is_some_and(|pace| count % pace == 0) {
            a_moment(PAUSE_MS);
        }
        record
    })
}

fn written<T: Data>(dir: &Path, name: &str) -> FileSet<T> {
    Files::ndjson(dir.join("output").join(name).display().to_string())
}

impl Nth {
    fn new(user: u64, record: &Record, n: u64) -> Self {
        let id = record.id;
        Self { user, id, n }
    }
}

impl<'s> Streaming<'s> {
    /// With so many records in a directory of its own.
    pub(super) fn new(dir: PathBuf, name: &str, records: u64, seed: u64) -> Self {
        super::input::write(&dir.join("records"), records, seed);
        super::input::write(&dir.join("others"), records / 4, seed + 1);
        Self {
            name: name.to_owned(),
            dir,
            database: None,
        }
    }

    /// Writes to a database of this server as well, if there is one.
    pub(super) fn with_rows(mut self, server: Option<&'s Server>) -> Self {
        self.database = server.map(|server| Database::new(server, &self.name));
        self
    }

    /// Writes a job file. Each task reads so many records between two pauses.
    pub(super) fn job_file(&self, tasks: u32, pace: u64, more: &str) -> String {
        let name = &self.name;
        let file = self.dir.join("job.toml").display().to_string();
        let postgres = self.database.as_ref().map(Database::config);
        let postgres = postgres.map(|config| format!("{POSTGRES} = {}\n", json!(config)));
        let text = format!(
            "name = \"{name}\"\ntasks = {tasks}\ncommand = {}\nfenced = true\n{more}\n\
             [env]\n{DIR} = {}\n{PACE} = \"{pace}\"\n{}",
            json!(program()),
            json!(self.dir.display().to_string()),
            postgres.unwrap_or_default(),
        );
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Writes a job file of a job that does not pause, and looks for more input until it is started
    /// with [`Self::all_is_there`].
    pub(super) fn growing_file(&self, tasks: u32, more: &str) -> String {
        let file = self.job_file(tasks, u64::MAX, more);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}{GROWTH} = {}\n", json!(GROWS))).unwrap();
        file
    }

    /// The flags with which it ends when it has read what is there.
    pub(super) fn all_is_there() -> [String; 2] {
        ["--env".to_owned(), format!("{GROWTH}={GROWN}")]
    }

    /// So many more records of both inputs, while it runs. They are later than the first ones.
    pub(super) fn grow(&self, records: u64, seed: u64) {
        let ids = |records| MOST_AT_FIRST..MOST_AT_FIRST + records;
        super::input::add(&self.dir.join("records"), "more", ids(records), seed);
        super::input::add(&self.dir.join("others"), "more", ids(records / 4), seed + 1);
    }

    /// The flags that make it another version, which does not pause.
    pub(super) fn version(version: u32) -> [String; 4] {
        let env = || "--env".to_owned();
        let pace = format!("{PACE}={}", u64::MAX);
        [env(), format!("{VERSION}={version}"), env(), pace]
    }

    /// That its output is what plain loops over the input give: lines of files, and rows.
    #[track_caller]
    pub(super) fn assert_right(&self) {
        let reference = Reference::of(&self.dir);
        assert_output(&self.dir.join("output"), &reference);
        if let Some(database) = &self.database {
            database.assert_right(&reference);
        }
    }

    /// That a run of the same job without a cluster gives the same.
    #[track_caller]
    pub(super) fn assert_right_alone(&self) {
        let alone = self.dir.join("alone");
        std::fs::create_dir_all(&alone).unwrap();
        for name in ["records", "others"] {
            std::os::unix::fs::symlink(self.dir.join(name), alone.join(name)).unwrap();
        }
        let [program, arguments @ ..] = &program()[..] else {
            unreachable!("a program has a name");
        };
        let mut command = Command::new(program);
        command.args(arguments).env(DIR, &alone);
        for name in [PACE, POSTGRES, "INCUMBENT_TASK_SOCKET"] {
            command.env_remove(name);
        }
        let done: Done = crate::harness::finished(command);
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert_output(&alone.join("output"), &Reference::of(&self.dir));
    }
}

#[track_caller]
fn assert_output(dir: &Path, reference: &Reference) {
    for sink in SINKS {
        let expected = reference.lines(sink);
        assert!(!expected.is_empty(), "{sink} has no reference");
        assert_lines(sink, &dir.join(sink), &expected);
    }
}

/// That a directory has these lines and no others. They are sorted.
#[track_caller]
pub(super) fn assert_lines(sink: &str, dir: &Path, expected: &[String]) {
    assert_same(sink, &lines(dir), expected);
}

fn program() -> Vec<String> {
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap().to_owned();
    let arguments = [TEST, "--exact", "--nocapture"].map(str::to_owned);
    [program].into_iter().chain(arguments).collect()
}

/// All published lines of a directory, sorted, with the files that they are in.
pub(super) fn lines(dir: &Path) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("part-") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.ends_with('\n'), "{name} is not whole");
            lines.extend(text.lines().map(|line| (line.to_owned(), name.clone())));
        }
    }
    lines.sort();
    lines
}

#[track_caller]
fn assert_same(sink: &str, found: &[(String, String)], expected: &[String]) {
    let same = found
        .iter()
        .zip(expected)
        .take_while(|(found, expected)| found.0 == **expected)
        .count();
    let from = same.saturating_sub(2);
    assert!(
        found.len() == expected.len() && same == found.len(),
        "{sink}: {} lines, {} expected; they differ at {same}: {:#?}, expected {:#?}",
        found.len(),
        expected.len(),
        &found[from..found.len().min(same + 3)],
        &expected[from..expected.len().min(same + 3)],
    );
}

/// Not a test, but the program of a task, if it is started as one.
#[test]
fn the_program_of_a_stream() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else {
        return;
    };
    exit(incumbent_stream::run(move |job| describe(job, &dir)))
}

/// Ends this process as a `main` that returns this would.
pub(super) fn exit(code: ExitCode) -> ! {
    let known = [0, 75, 78]
        .into_iter()
        .find(|known| code == ExitCode::from(*known));
    std::process::exit(known.map_or(1, i32::from))
}
