//! [`Queries`]: questions about the state of a task, on their way to it and back.
//!
//! The task reads them as lines (`query_lines.rs`) and posts answers. The node that asks waits
//! here, and for nothing else: a task that is slow, or stands still, holds up its own queries only.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{oneshot, watch};

use crate::query::{Question, RankAnswer};

/// Queries of one task that wait for an answer at a time: what a task answers in some milliseconds.
pub const MOST_QUERIES: usize = 256;

/// Largest answer to a query, in bytes: a thousand entries of a kilobyte each.
pub const LARGEST_QUERY_ANSWER: usize = 1024 * 1024;

/// How long a task may take to answer a query. Long enough for one that restores or collects
/// garbage; somebody waits.
pub const QUERY_TIME: Duration = Duration::from_secs(10);

/// The queries of one task.
#[derive(Debug, Default)]
pub(super) struct Queries {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the last query.
    last: u64,
    /// The reader whom queries are given to; those before it are told nothing more.
    reader: u64,
    /// A task that never read answers no queries. One that did may come back.
    was_read: bool,
    has_ended: bool,
    /// Those that the present reader was not given.
    unread: VecDeque<u64>,
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    line: Bytes,
    answer: oneshot::Sender<Result<RankAnswer, Unanswered>>,
}

/// Why a query of a task was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// There is no such task here.
    #[error("this TaskManager does not have the task, or it has ended")]
    NoSuchTask,
    /// The task has not asked for queries.
    #[error("the task answers no queries: it has not read /v1/queries on its socket")]
    NotQueryable,
    /// As many as may be wait already.
    #[error("{MOST_QUERIES} queries wait for this task, which is the limit")]
    TooMany,
    /// It did not answer in time.
    #[error("the task did not answer within {} s", QUERY_TIME.as_secs())]
    Late,
    /// It answered something else than an answer.
    #[error("the task answered what is no answer: {0}")]
    BadAnswer(String),
    /// It answered too much.
    #[error("the answer of the task has more than {LARGEST_QUERY_ANSWER} bytes")]
    TooLarge,
}

/// A query as the task reads it.
#[derive(Serialize)]
struct Line<'a> {
    id: String,
    #[serde(flatten)]
    question: &'a Question,
}

impl Queries {
    /// Asks the task.
    ///
    /// # Errors
    ///
    /// [`Unanswered`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the query, if the task was not given it.
    pub(super) async fn ask(
        &self,
        question: &Question,
        patience: Duration,
    ) -> Result<RankAnswer, Unanswered> {
        let (id, answered) = self.begin(question)?;
        let _asked = Asked { queries: self, id };
        match tokio::time::timeout(patience, answered).await {
            Ok(answered) => answered.map_err(|_| Unanswered::NoSuchTask)?,
            Err(_) => Err(Unanswered::Late),
        }
    }

    fn begin(
        &self,
        question: &Question,
    ) -> Result<(u64, oneshot::Receiver<Result<RankAnswer, Unanswered>>), Unanswered> {
        let (answer, answered) = oneshot::channel();
        let mut state = self.lock();
        if state.has_ended {
            return Err(Unanswered::NoSuchTask);
        }
        if !state.was_read {
            return Err(Unanswered::NotQueryable);
        }
        if state.waiting.len() >= MOST_QUERIES {
            return Err(Unanswered::TooMany);
        }
        state.last += 1;
        let id = state.last;
        let line = Line {
            id: id.to_string(),
            question,
        };
        let mut line = serde_json::to_vec(&line).expect("texts and JSON are JSON");
        line.push(b'\n');
        let line = line.into();
        state.waiting.insert(id, Waiting { line, answer });
        state.unread.push_back(id);
        drop(state);
        self.changed.send_replace(());
        Ok((id, answered))
    }

    /// A new reader takes the place of the one before, and is given all that waits: what that one
    /// was given may have been lost with its connection.
    pub(super) fn new_reader(&self) -> (u64, watch::Receiver<()>) {
        let mut state = self.lock();
        state.was_read = true;
        state.reader += 1;
        state.unread = state.waiting.keys().copied().collect();
        let reader = state.reader;
        drop(state);
        let mut changed = self.changed.subscribe();
        changed.mark_changed();
        self.changed.send_replace(());
        (reader, changed)
    }

    /// The lines that this reader was not given; `None` if there will be no more.
    pub(super) fn unread(&self, reader: u64) -> Option<Vec<u8>> {
        let mut state = self.lock();
        if state.reader != reader || state.has_ended {
            return None;
        }
        let State {
            unread, waiting, ..
        } = &mut *state;
        let lines = unread.drain(..).filter_map(|id| waiting.get(&id));
        Some(lines.flat_map(|waiting| waiting.line.to_vec()).collect())
    }

    /// Answers a query. False if nobody waits for it.
    pub(super) fn answer(&self, id: &str, answer: Result<RankAnswer, Unanswered>) -> bool {
        let id = id.parse().ok();
        let waiting = id.and_then(|id| self.lock().waiting.remove(&id));
        waiting.is_some_and(|waiting| waiting.answer.send(answer).is_ok())
    }

    /// The task has ended: nobody waits for it any more.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.has_ended = true;
        state.unread.clear();
        state.waiting.clear();
        drop(state);
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A query that somebody waits for.
struct Asked<'a> {
    queries: &'a Queries,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.queries.lock().waiting.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        serde_json::from_str(r#"{"state":"totals","key":"alice"}"#).unwrap()
    }

    #[tokio::test]
    async fn a_new_reader_is_given_what_waits_and_the_one_before_nothing_more() {
        let queries = Queries::default();
        let question = question();
        assert_eq!(
            queries.begin(&question).unwrap_err(),
            Unanswered::NotQueryable
        );
        let (first, _) = queries.new_reader();
        let (_, answered) = queries.begin(&question).unwrap();
        let line = br#"{"id":"1","state":"totals","key":"alice"}"#;
        assert_eq!(queries.unread(first).unwrap(), [line, &b"\n"[..]].concat());
        assert_eq!(queries.unread(first).unwrap(), b"");
        let (second, _) = queries.new_reader();
        assert_eq!(queries.unread(first), None);
        assert_eq!(queries.unread(second).unwrap(), [line, &b"\n"[..]].concat());
        assert!(queries.answer("1", Ok(RankAnswer::default())));
        assert_eq!(answered.await.unwrap(), Ok(RankAnswer::default()));
        assert!(!queries.answer("1", Ok(RankAnswer::default())));
        assert!(!queries.answer("one", Ok(RankAnswer::default())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_is_not_answered_ends_and_makes_room() {
        let queries = Queries::default();
        let question = question();
        let (reader, _) = queries.new_reader();
        let late = queries.ask(&question, QUERY_TIME).await;
        assert_eq!(late, Err(Unanswered::Late));
        // What nobody waits for is not given to a late reader.
        assert_eq!(queries.unread(reader).unwrap(), b"");
        let waiting: Vec<_> = (0..MOST_QUERIES)
            .map(|_| queries.begin(&question).unwrap())
            .collect();
        assert_eq!(queries.begin(&question).unwrap_err(), Unanswered::TooMany);
        queries.end();
        for (_, answered) in waiting {
            assert!(answered.await.is_err());
        }
        let ended = queries.ask(&question, QUERY_TIME).await;
        assert_eq!(ended, Err(Unanswered::NoSuchTask));
    }
}
