//! [`Task`]: who this task is, and what it may ask of its TaskManager.

use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::http::{self, Answer, Body, Incoming, Unanswered};
use crate::{Error, Events, Inbox, Part, Queries, Query, Restore};

/// The variable that names the socket.
pub(crate) const SOCKET: &str = "INCUMBENT_TASK_SOCKET";

/// How often a request is sent whose connection breaks. All of them may be sent twice.
pub(crate) const TRIES: u32 = 3;

/// Between two tries.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// If an answer says to come again, and not when.
const USUAL_WAIT: Duration = Duration::from_secs(1);

/// The longest that is waited before asking again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Longest text of a problem that is repeated in an error, in bytes.
const LONGEST_PROBLEM: u64 = 8 * 1024;

/// This task. Clones are the same task; each request has a connection of its own, so threads do
/// not wait for each other.
#[derive(Clone, Debug)]
pub struct Task {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    socket: PathBuf,
    identity: Identity,
}

/// Who a task is.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Identity {
    /// The id of the job: 32 hexadecimal digits.
    pub job: String,
    /// Its name, for people.
    pub name: String,
    /// The number of the attempt, from 1. Other systems can refuse what comes with a lower one.
    pub attempt: u64,
    /// The place in the gang, from 0.
    pub rank: u32,
    /// How many tasks the gang has.
    pub tasks: u32,
    /// `host:port` of each rank.
    #[serde(default)]
    pub peers: Vec<String>,
    /// Whether the job checkpoints. If not, the task is asked for nothing.
    #[serde(default)]
    pub is_checkpointing: bool,
    /// The number of the checkpoint to start from.
    #[serde(default)]
    pub restore: Option<u64>,
}

#[derive(Deserialize)]
struct ReadyAnswer {
    #[serde(default)]
    peers: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

impl Task {
    /// The task that this process is.
    ///
    /// # Errors
    ///
    /// [`Error::NotATask`] if `INCUMBENT_TASK_SOCKET` is not set; [`Error::Gone`].
    pub fn from_env() -> Result<Self, Error> {
        let socket = std::env::var_os(SOCKET).ok_or(Error::NotATask { variable: SOCKET })?;
        Self::connect(socket)
    }

    /// The task whose socket this is.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`].
    pub fn connect(socket: impl Into<PathBuf>) -> Result<Self, Error> {
        let socket = socket.into();
        let answer = ask(&socket, "GET", "/v1/task", None)?;
        let identity = json(answer)?;
        Ok(Self {
            shared: Arc::new(Shared { socket, identity }),
        })
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// The place in the gang, from 0.
    pub fn rank(&self) -> u32 {
        self.identity().rank
    }

    /// How many tasks the gang has.
    pub fn tasks(&self) -> u32 {
        self.identity().tasks
    }

    /// The number of the attempt, from 1.
    pub fn attempt(&self) -> u64 {
        self.identity().attempt
    }

    /// What to start from: the parts of *all* ranks of the attempt that made it, which may have
    /// had another number of tasks. `None` at the beginning of a job.
    ///
    /// What was staged for that checkpoint counts as committed: publish it before [`Task::ready`]
    /// ([`FileSink::recover`](crate::FileSink::recover) does).
    ///
    /// # Errors
    ///
    /// [`Error::NotRestored`], [`Error::Gone`]. An outage of the blobs is waited out.
    pub fn restore(&self) -> Result<Option<Restore>, Error> {
        match ask(&self.shared.socket, "GET", "/v1/restore", None) {
            Ok(answer) => Restore::new(self.clone(), json(answer)?).map(Some),
            Err(Error::Refused { status: 404, .. }) => Ok(None),
            Err(Error::Refused { why, .. }) => Err(Error::NotRestored { why }),
            Err(error) => Err(error),
        }
    }

    /// Says that this task is ready, and returns when all are: `host:port` of each rank. No
    /// checkpoint is asked for before.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`].
    pub fn ready(&self) -> Result<Vec<String>, Error> {
        let answer = self.ask("POST", "/v1/ready", None)?;
        Ok(json::<ReadyAnswer>(answer)?.peers)
    }

    /// What this task is told, waiting for each event.
    pub fn events(&self) -> Events {
        Events::new(self.clone())
    }

    /// What this task is told, read on a thread of its own, to look at between two pieces of work.
    pub fn inbox(&self) -> Inbox {
        Inbox::new(self.events())
    }

    /// What is asked of the state of this task, waiting for each query. Read them on a thread of
    /// their own, and answer each with [`Task::answer`]: somebody waits.
    pub fn queries(&self) -> Queries {
        Queries::new(self.clone())
    }

    /// Answers a query. If nobody waits for it any more, that is no error.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the answer is too large; [`Error::Gone`].
    pub fn answer(&self, query: &Query, answer: &crate::Answer) -> Result<(), Error> {
        let body = serde_json::to_vec(answer).expect("texts and JSON are JSON");
        match self.post(&query.path(), &body) {
            Err(Error::Refused { status: 404, .. }) => Ok(()),
            answered => answered,
        }
    }

    /// This rank's part of a checkpoint that it was asked for.
    pub fn checkpoint(&self, number: u64) -> Part {
        Part::numbered(self.clone(), number)
    }

    /// The last files of this rank: they count in all later checkpoints once [`Task::finish`] has
    /// been said.
    pub fn last(&self) -> Part {
        Part::last(self.clone())
    }

    /// Says that nothing more will come of this rank. It is not asked for checkpoints any more;
    /// it goes on to listen, publishes what is committed, and exits when it is told to stop.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], [`Error::Gone`].
    pub fn finish(&self) -> Result<(), Error> {
        self.ask("POST", "/v1/finish", None).map(drop)
    }

    /// Shows these metrics, in the text form of OpenMetrics, at the TaskManager's `/metrics`, with
    /// `job` and `rank`. They replace what was shown before.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if it cannot be read; [`Error::Gone`].
    pub fn metrics(&self, text: &str) -> Result<(), Error> {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        self.put("/v1/metrics", kind, &mut Cursor::new(text))
            .map(drop)
    }

    /// Shows this line to people who look at the job: at most 200 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if it is too long; [`Error::Gone`].
    pub fn progress(&self, line: &str) -> Result<(), Error> {
        let kind = "text/plain; charset=utf-8";
        self.put("/v1/progress", kind, &mut Cursor::new(line))
            .map(drop)
    }

    pub(crate) fn events_stream(&self) -> Result<Incoming, Error> {
        self.ask("GET", "/v1/events", None)
            .map(|answer| answer.body)
    }

    pub(crate) fn get(&self, path: &str) -> Result<Incoming, Error> {
        self.ask("GET", path, None).map(|answer| answer.body)
    }

    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Result<(), Error> {
        let body = &mut Cursor::new(body);
        self.ask("POST", path, Some(("application/json", body)))
            .map(drop)
    }

    pub(crate) fn put(
        &self,
        path: &str,
        kind: &'static str,
        bytes: &mut dyn Source,
    ) -> Result<Answer, Error> {
        self.ask("PUT", path, Some((kind, bytes)))
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<(&'static str, &mut dyn Source)>,
    ) -> Result<Answer, Error> {
        ask(&self.shared.socket, method, path, body)
    }
}

/// What can be sent, and sent again.
pub(crate) trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// Asks until there is an answer that is final.
fn ask(
    socket: &std::path::Path,
    method: &str,
    path: &str,
    mut body: Option<(&'static str, &mut dyn Source)>,
) -> Result<Answer, Error> {
    let extent = match &mut body {
        Some((_, source)) => Some(extent(source).map_err(Error::Source)?),
        None => None,
    };
    let mut broken = 0;
    loop {
        let sent = match (&mut body, extent) {
            (Some((kind, source)), Some((start, length))) => {
                source.seek(SeekFrom::Start(start)).map_err(Error::Source)?;
                let body = Body {
                    kind,
                    length,
                    bytes: source,
                };
                http::send(socket, method, path, Some(body))
            }
            _ => http::send(socket, method, path, None),
        };
        match sent {
            Ok(answer) if answer.status == 503 => {
                pause(answer.retry_after.unwrap_or(USUAL_WAIT).min(LONGEST_WAIT));
            }
            Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer),
            Ok(answer) => match refused(answer) {
                // The upload that broke off is not known to be over yet.
                (kind, _) if kind.ends_with(":being-stored") => pause(PAUSE),
                (_, error) => return Err(error),
            },
            Err(Unanswered::Source(error)) => return Err(Error::Source(error)),
            Err(Unanswered::NoSocket(error)) => return Err(Error::Gone(error)),
            Err(Unanswered::Broken(error)) => {
                broken += 1;
                if broken == TRIES {
                    return Err(Error::Gone(error));
                }
                pause(PAUSE);
            }
        }
    }
}

/// Where a source is, and how much is left of it.
fn extent(source: &mut dyn Source) -> std::io::Result<(u64, u64)> {
    let start = source.stream_position()?;
    let end = source.seek(SeekFrom::End(0))?;
    Ok((start, end.saturating_sub(start)))
}

/// The type of the problem, and the error that it is.
fn refused(answer: Answer) -> (String, Error) {
    let mut text = String::new();
    // What cannot be read of it is left out.
    let _ = answer.body.take(LONGEST_PROBLEM).read_to_string(&mut text);
    let problem = serde_json::from_str(&text).unwrap_or_else(|_| Problem {
        title: text.trim().to_owned(),
        ..Problem::default()
    });
    let why = match problem.detail.is_empty() {
        true => problem.title,
        false => problem.detail,
    };
    let status = answer.status;
    (problem.kind, Error::Refused { status, why })
}

pub(crate) fn json<T: for<'de> Deserialize<'de>>(answer: Answer) -> Result<T, Error> {
    serde_json::from_reader(answer.body).map_err(|error| Error::Gone(error.into()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the TaskManager says when to ask again"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
