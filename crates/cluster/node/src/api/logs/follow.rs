//! The log of a job: attempt after attempt, all ranks at the same time.

use std::sync::Arc;
use std::time::Duration;

use incumbent_cluster_core::{Attempt, JobRecord, JobState, Rank};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::position::Position;
use super::rank::{RankReader, StartAt, Told};
use crate::api::Api;
use crate::api::locate::task;

/// How often the record is looked at if nothing hints at a change.
const LOOK: Duration = Duration::from_secs(5);

/// Lines that wait for the client. When there are so many, nothing is read from TaskManagers.
const WAITING: usize = 64;

/// Which lines are wanted.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The ranks, in the order of a [`Position`].
    pub(super) ranks: Vec<Rank>,
    /// This attempt only.
    pub(super) attempt: Option<Attempt>,
    pub(super) begin: Begin,
    pub(super) is_following: bool,
}

/// Where to begin.
#[derive(Clone, Debug)]
pub(super) enum Begin {
    Start,
    /// At the last so many lines of each rank.
    Tail(u64),
    /// Where a client has stopped. A rank of which it has nothing begins at its last so many lines,
    /// if it said how many.
    After(Position, Option<u64>),
}

/// The log of a job as it is told. Dropping it ends the reading.
pub(super) struct Telling {
    told: mpsc::Receiver<Told>,
    reading: AbortHandle,
}

impl Telling {
    /// Begins to read. `changed` is older than the record.
    pub(super) fn of(
        api: Arc<Api>,
        record: JobRecord,
        changed: watch::Receiver<u64>,
        wanted: Wanted,
    ) -> Self {
        let (out, told) = mpsc::channel(WAITING);
        let teller = Teller {
            api,
            record,
            wanted,
            changed,
            out,
        };
        let reading = tokio::spawn(teller.run()).abort_handle();
        Self { told, reading }
    }

    /// The next things to tell, at least one; none when it has broken off or all was told.
    pub(super) async fn next(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        self.told.recv_many(&mut told, WAITING).await;
        told
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

struct Teller {
    api: Arc<Api>,
    /// As it was read last.
    record: JobRecord,
    wanted: Wanted,
    changed: watch::Receiver<u64>,
    out: mpsc::Sender<Told>,
}

impl Teller {
    async fn run(mut self) {
        let state = self.all().await;
        let _ = self.out.send(Told::End(state)).await;
    }

    async fn all(&mut self) -> JobState {
        let begun = match &self.wanted.begin {
            Begin::After(position, _) => Some(position.attempt),
            Begin::Start | Begin::Tail(_) => None,
        };
        let mut attempt = self.wanted.attempt.or(begun).unwrap_or(self.record.attempt);
        let mut begin = self.wanted.begin.clone();
        loop {
            if attempt > Attempt(0) {
                self.attempt(attempt, &begin).await;
            }
            if !self.wanted.is_following || self.wanted.attempt.is_some_and(|only| only <= attempt)
            {
                return self.record.state;
            }
            while self.record.attempt <= attempt {
                if self.record.state.is_terminal() || !self.look().await {
                    return self.record.state;
                }
            }
            attempt = attempt.next();
            begin = Begin::Start;
        }
    }

    /// Reads the record when it may have changed; `false` if the job is gone.
    async fn look(&mut self) -> bool {
        tokio::select! {
            _ = self.changed.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
        self.refresh().await
    }

    async fn refresh(&mut self) -> bool {
        match self.api.record(self.record.id).await {
            Ok(record) if record.incarnation == self.record.incarnation => {
                self.record = record;
                true
            }
            Ok(_) => false,
            // The store may not answer for a while. Logs go on.
            Err(problem) => problem.status != 404,
        }
    }

    /// All ranks of one attempt, until they have ended, or a later attempt has begun and nothing
    /// more comes.
    async fn attempt(&mut self, attempt: Attempt, begin: &Begin) {
        let (overtaken, is_overtaken) = watch::channel(false);
        let mut readers = JoinSet::new();
        for (index, &rank) in self.wanted.ranks.iter().enumerate() {
            let from = match begin {
                Begin::Start => StartAt::Offset(0),
                Begin::Tail(lines) => StartAt::Tail(*lines),
                Begin::After(position, tail) => match (position.offsets.get(index), tail) {
                    (Some(0) | None, Some(lines)) => StartAt::Tail(*lines),
                    (offset, _) => StartAt::Offset(offset.copied().unwrap_or_default()),
                },
            };
            let reader = RankReader {
                api: Arc::clone(&self.api),
                task: task(&self.record, attempt, rank),
                from,
                is_following: self.wanted.is_following,
                changed: self.changed.clone(),
                is_overtaken: is_overtaken.clone(),
                out: self.out.clone(),
            };
            if self.wanted.is_following {
                readers.spawn(reader.run());
            } else {
                // One after the other, so that what is whole is not mixed.
                reader.run().await;
            }
        }
        loop {
            tokio::select! {
                ended = readers.join_next() => if ended.is_none() { break },
                is_there = self.look() => {
                    if !is_there || self.record.attempt > attempt {
                        let _ = overtaken.send(true);
                    }
                }
            }
        }
        // What ended them may be written down by now.
        self.refresh().await;
    }
}
