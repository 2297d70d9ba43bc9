//! The log of one rank of one attempt: from its TaskManager while that has it, else from the blobs.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use incumbent_cluster_core::{JobRecord, JobState, TaskId};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::lines::{Line, Lines};
use crate::api::Api;
use crate::task_manager::{FrameDecoder, LOG_STREAM, LOG_TAIL, LogPiece};
use crate::wire;

/// How long a TaskManager may take to begin.
const FIRST_BYTE: Duration = Duration::from_secs(5);

/// How long a TaskManager may say nothing. It says every 10 s that it is well.
const SILENCE: Duration = Duration::from_secs(30);

/// How long to wait, in all, for more of an attempt when a later one has begun. It may go on for
/// ever where nobody can end it: on a TaskManager that is cut off from the leader.
const OVERTAKEN: Duration = Duration::from_secs(2);

/// Pauses before a TaskManager is asked again: it may not have heard of the task yet, or is gone.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Where to begin.
#[derive(Clone, Copy, Debug)]
pub(super) enum StartAt {
    Offset(u64),
    /// At the last so many lines.
    Tail(u64),
}

/// What is told of a rank.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Line(TaskId, Line),
    /// Something that is no line: lines are missing.
    Note(TaskId, String),
    /// The job has ended, or everything that was asked for was told.
    End(JobState),
}

/// Reads one rank of one attempt.
pub(super) struct RankReader {
    pub(super) api: Arc<Api>,
    pub(super) task: TaskId,
    pub(super) from: StartAt,
    pub(super) is_following: bool,
    /// Changes when the record may have.
    pub(super) changed: watch::Receiver<u64>,
    /// Whether a later attempt has begun.
    pub(super) is_overtaken: watch::Receiver<bool>,
    pub(super) out: mpsc::Sender<Told>,
}

/// Nobody listens any more.
#[derive(Debug)]
struct Left;

/// What a TaskManager gave.
enum Given {
    /// All that there is, or will be.
    All,
    /// It does not have it, or not any more.
    Nothing,
    /// It broke off, or was not reached.
    Broken(String),
}

impl RankReader {
    /// Tells all of it. Ends early if nobody listens any more.
    pub(super) async fn run(mut self) {
        let begin = match self.from {
            StartAt::Offset(offset) => offset,
            StartAt::Tail(_) => 0,
        };
        let mut lines = Lines::at(begin);
        // Ends early only if nobody listens.
        let _ = self.read(&mut lines).await;
    }

    async fn read(&mut self, lines: &mut Lines) -> Result<(), Left> {
        let mut pause = FIRST_PAUSE;
        loop {
            let record = self.api.record(self.task.job).await;
            let (address, is_over) = match &record {
                Ok(record) if record.incarnation != self.task.incarnation => return Ok(()),
                Ok(record) => (self.address(record), is_over(record, self.task)),
                Err(problem) if problem.status == 404 => return Ok(()),
                // The store does not answer. Whether the attempt is over is not known.
                Err(problem) if !self.is_following => {
                    return self.note(format!("not read: {}", problem.detail)).await;
                }
                Err(_) => (None, false),
            };
            let given = match address {
                Some(address) => self.ask_task_manager(&address, lines).await?,
                None => Given::Nothing,
            };
            if matches!(given, Given::All) {
                return self.lines(lines.flush()).await;
            }
            if is_over || !self.is_following {
                return self.take_from_blobs(lines, given).await;
            }
            if let Given::Broken(why) = given {
                let task = self.task;
                tracing::debug!(%task, why, "a log that is followed broke off; asking again");
            }
            let later = tokio::time::sleep(pause);
            tokio::select! {
                () = later => {}
                Ok(()) = self.changed.changed() => {}
                () = self.out.closed() => return Err(Left),
            }
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Where the task is, if it is of the attempt in the record.
    fn address(&self, record: &JobRecord) -> Option<String> {
        let is_present = record.attempt == self.task.attempt;
        let node = record.node_of(self.task.rank).filter(|_| is_present)?;
        Some(node.address.clone())
    }

    async fn ask_task_manager(&mut self, address: &str, lines: &mut Lines) -> Result<Given, Left> {
        let from = match self.from {
            StartAt::Tail(tail) => format!("tail={tail}"),
            StartAt::Offset(_) => format!("offset={}", lines.whole()),
        };
        let path = format!(
            "{}/log?{from}&follow={}",
            wire::task(&self.task),
            self.is_following
        );
        let request = Request::new(Body::empty());
        let client = self.api.node.client().clone();
        let answer = match timeout(FIRST_BYTE, client.stream(address, &path, request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Ok(Given::Broken(error.to_string())),
            Err(_) => return Ok(Given::Broken(format!("no answer of {address} in time"))),
        };
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(Given::Nothing),
            status => return Ok(Given::Broken(format!("{address} answered {status}"))),
        }
        let mut body = answer.into_body();
        let mut decoder = FrameDecoder::default();
        let mut left = OVERTAKEN;
        lines.rewind();
        loop {
            let is_overtaken = *self.is_overtaken.borrow();
            if is_overtaken && left.is_zero() {
                return Ok(Given::All);
            }
            let patience = if is_overtaken { left } else { SILENCE };
            let waited = Instant::now();
            let frame = tokio::select! {
                frame = timeout(patience, body.frame()) => frame,
                Ok(()) = self.is_overtaken.changed() => continue,
                () = self.out.closed() => return Err(Left),
            };
            if is_overtaken {
                // What is there already costs no waiting, however much it is.
                left = left.saturating_sub(waited.elapsed());
            }
            let bytes = match frame {
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Ok(Some(Err(error))) => return Ok(Given::Broken(error.to_string())),
                Ok(None) => return Ok(Given::Broken("the answer ended early".into())),
                Err(_) if is_overtaken => return Ok(Given::All),
                Err(_) => return Ok(Given::Broken(format!("{address} is silent"))),
            };
            decoder.push(&bytes);
            loop {
                match decoder.next_piece() {
                    Ok(Some(piece)) => self.piece(lines, piece).await?,
                    Ok(None) => break,
                    Err(error) => return Ok(Given::Broken(error.to_string())),
                }
            }
            if decoder.ended_at().is_some() {
                return Ok(Given::All);
            }
        }
    }

    async fn piece(&mut self, lines: &mut Lines, piece: LogPiece) -> Result<(), Left> {
        // From here on it goes on by offset.
        if let StartAt::Tail(_) = self.from {
            let offset = match &piece {
                LogPiece::Bytes { offset, .. } => *offset,
                LogPiece::Dropped { to, .. } => *to,
            };
            self.from = StartAt::Offset(offset);
            *lines = Lines::at(offset);
        }
        match piece {
            LogPiece::Bytes { offset, bytes } => self.lines(lines.push(offset, &bytes)).await,
            LogPiece::Dropped { from, to } => {
                self.lines(lines.push(to, &[])).await?;
                let gone = to.saturating_sub(from);
                self.note(format!(
                    "{gone} bytes are not there any more: the log was too long"
                ))
                .await
            }
        }
    }

    /// What its TaskManager left in the blobs when it ended.
    async fn take_from_blobs(&mut self, lines: &mut Lines, given: Given) -> Result<(), Left> {
        let tail = match self.api.blobs.log_tail(self.task, LOG_STREAM).await {
            Ok(tail) => tail,
            Err(incumbent_cluster_blobs::Error::NotFound { .. }) => {
                self.lines(lines.flush()).await?;
                return match given {
                    Given::Broken(why) => {
                        self.note(format!("the rest was not reached: {why}")).await
                    }
                    // It printed nothing, or its TaskManager died with it.
                    Given::Nothing | Given::All => Ok(()),
                };
            }
            Err(error) => {
                return self
                    .note(format!("the rest was not reached: {error}"))
                    .await;
            }
        };
        lines.rewind();
        let read = lines.whole();
        let is_whole = tail.len() <= LOG_TAIL / 2;
        if !is_whole && read > 0 {
            let text = "its TaskManager is gone; what follows is the end of the log, of which some \
                        lines may be missing or come again";
            self.note(text.into()).await?;
        }
        let mut found = Vec::new();
        let mut whole = Lines::at(0);
        found.extend(whole.push(0, &tail));
        found.extend(whole.flush());
        match self.from {
            StartAt::Tail(most) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                found.drain(..found.len().saturating_sub(most));
            }
            StartAt::Offset(_) if is_whole => found.retain(|line| line.end > read),
            StartAt::Offset(_) => {}
        }
        self.lines(found).await
    }

    async fn lines(&self, lines: impl IntoIterator<Item = Line>) -> Result<(), Left> {
        for line in lines {
            let told = Told::Line(self.task, line);
            self.out.send(told).await.map_err(|_| Left)?;
        }
        Ok(())
    }

    async fn note(&self, text: String) -> Result<(), Left> {
        let told = Told::Note(self.task, text);
        self.out.send(told).await.map_err(|_| Left)
    }
}

/// Whether no task of this attempt prints any more, as far as the record says.
fn is_over(record: &JobRecord, task: TaskId) -> bool {
    match record.state {
        _ if record.attempt > task.attempt => true,
        JobState::Waiting | JobState::Running | JobState::Stopping => false,
        JobState::Restarting
        | JobState::Suspended
        | JobState::Finished
        | JobState::Failed
        | JobState::Canceled => true,
    }
}
