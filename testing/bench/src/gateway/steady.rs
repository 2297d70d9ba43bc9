//! A steady load, and what came of each request.
//!
//! Every request has a connection of its own and is sent once, as `curl` does it: what fails has
//! failed for its client. Requests are sent when it is time, however many are under way: a proxy
//! that holds them up does not thin them out.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, JoinSet};

use super::client::{Connection, Door, Question};
use crate::stopwatch;

/// How often a request is sent.
pub(super) const EVERY: Duration = Duration::from_millis(5);

/// A request that takes longer has failed. It also bounds how many are under way.
pub(super) const LONGEST: Duration = Duration::from_secs(10);

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) sent: Instant,
    pub(super) ended: Instant,
    pub(super) outcome: Outcome,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    /// Another status, or another length.
    Otherwise(u16),
    Broken(io::ErrorKind),
    Late,
}

/// What came of the requests in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) requests: usize,
    pub(super) failed: usize,
    /// Of those that were answered.
    pub(super) over_100_ms: usize,
    pub(super) over_1_s: usize,
    pub(super) slowest: Duration,
    /// The longest time without an answer.
    pub(super) pause: Duration,
}

/// A load that goes on until this is dropped.
pub(super) struct Steady {
    samples: Arc<Mutex<Vec<Sample>>>,
    task: JoinHandle<()>,
}

impl Steady {
    pub(super) fn start(door: Door, question: Question) -> Self {
        let samples: Arc<Mutex<Vec<Sample>>> = Arc::default();
        let kept = Arc::clone(&samples);
        let task = tokio::spawn(async move {
            let mut next = tokio::time::interval(EVERY);
            let mut under_way = JoinSet::new();
            loop {
                tokio::select! {
                    _ = next.tick() => {
                        under_way.spawn(ask(door.clone(), question.clone(), Arc::clone(&kept)));
                    }
                    Some(_) = under_way.join_next() => {}
                }
            }
        });
        Self { samples, task }
    }

    /// All that has ended, in the order in which it was sent.
    pub(super) fn samples(&self) -> Vec<Sample> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let mut samples = samples.clone();
        samples.sort_by_key(|sample| sample.sent);
        samples
    }

    /// Whether all that was sent since then was answered, and something was.
    pub(super) fn is_well_since(&self, since: Instant) -> bool {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let late = samples.iter().rev().take_while(|one| one.ended >= since);
        let mut outcomes = late.map(|one| one.outcome).peekable();
        outcomes.peek().is_some() && outcomes.all(|outcome| outcome == Outcome::Answered)
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn ask(door: Door, question: Question, samples: Arc<Mutex<Vec<Sample>>>) {
    let sent = stopwatch::now();
    let asked = async { Connection::open(&door).await?.ask(&question.request).await };
    let outcome = match tokio::time::timeout(LONGEST, asked).await {
        Ok(Ok(answered)) if answered == question.expected => Outcome::Answered,
        Ok(Ok(answered)) => Outcome::Otherwise(answered.status),
        Ok(Err(error)) => Outcome::Broken(error.kind()),
        Err(_) => Outcome::Late,
    };
    let sample = Sample {
        sent,
        ended: stopwatch::now(),
        outcome,
    };
    let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
    samples.push(sample);
}

/// What came of the requests sent from `begin` to `end`, and how long there was no answer.
pub(super) fn tally(samples: &[Sample], begin: Instant, end: Instant) -> Tally {
    let mut tally = Tally::default();
    for sample in samples
        .iter()
        .filter(|one| (begin..end).contains(&one.sent))
    {
        tally.requests += 1;
        if sample.outcome != Outcome::Answered {
            tally.failed += 1;
            continue;
        }
        let took = sample.ended - sample.sent;
        tally.over_100_ms += usize::from(took > Duration::from_millis(100));
        tally.over_1_s += usize::from(took > Duration::from_secs(1));
        tally.slowest = tally.slowest.max(took);
    }
    let answered = samples
        .iter()
        .filter(|one| one.outcome == Outcome::Answered);
    let mut answers: Vec<Instant> = answered.map(|one| one.ended).collect();
    answers.sort_unstable();
    // If no answer came any more, that pause lasts until the end.
    answers.push(answers.last().map_or(end, |last| end.max(*last)));
    let pauses = answers.windows(2).filter_map(|two| {
        let overlaps = two[1] >= begin && two[0] < end;
        overlaps.then(|| two[1] - two[0])
    });
    tally.pause = pauses.max().unwrap_or_default();
    tally
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.over_100_ms += other.over_100_ms;
        self.over_1_s += other.over_1_s;
        self.slowest = self.slowest.max(other.slowest);
        self.pause = self.pause.max(other.pause);
    }
}

impl Outcome {
    pub(super) fn name(self) -> String {
        match self {
            Self::Answered => "answered".into(),
            Self::Otherwise(status) => status.to_string(),
            Self::Broken(kind) => kind.to_string(),
            Self::Late => format!("no answer in {LONGEST:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_the_time_between_two_answers_and_failures_are_none() {
        let zero = stopwatch::now();
        let at = |millis| zero + Duration::from_millis(millis);
        let sample = |sent, ended, outcome| Sample {
            sent: at(sent),
            ended: at(ended),
            outcome,
        };
        let samples = [
            sample(0, 10, Outcome::Answered),
            sample(100, 110, Outcome::Otherwise(503)),
            sample(150, 1510, Outcome::Answered),
            sample(1600, 1610, Outcome::Answered),
        ];
        let tally = tally(&samples, at(50), at(1550));
        assert_eq!(
            tally,
            Tally {
                requests: 2,
                failed: 1,
                over_100_ms: 1,
                over_1_s: 1,
                slowest: Duration::from_millis(1360),
                pause: Duration::from_millis(1500),
            }
        );
    }
}
