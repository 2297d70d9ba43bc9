//! A job without a cluster: its tasks are threads of this process, and this module asks for
//! checkpoints, keeps none, and commits them at once, so that output appears.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{SigSet, Signal};

use super::{Describe, exit, spawn};
use crate::engine::{Plan, Seat, Wiring, work};
use crate::mesh::threads;
use crate::orders::{Order, Report, Restored, Snapshot};
use crate::room::{MOST_ON_THE_WAY, Room};
use crate::{At, Error, Result, Waker};

/// How many tasks there are.
const TASKS: &str = "INCUMBENT_STREAM_TASKS";

/// Most of them: they are threads.
const MOST_TASKS: u32 = 64;

/// Between two checkpoints: output appears as often.
const INTERVAL: Duration = Duration::from_secs(1);

/// What the thread that commits hears.
enum News {
    Reported(u32, Report),
    Ended(Result<()>),
    Interrupted,
}

/// Runs a job to its end, or until Ctrl-C.
///
/// # Errors
///
/// What failed.
pub(super) fn run(describe: &Arc<Describe>) -> Result<()> {
    let tasks = tasks()?;
    // What is wrong with the job is said before anything is started.
    drop(Plan::of(&**describe)?);
    let (tell, news) = channel();
    watch_for_ctrl_c(tell.clone())?;
    let threads = if tasks == 1 { "thread" } else { "threads" };
    eprintln!(
        "running without a cluster, {tasks} {threads}: nothing survives this process, and output \
         appears each second; Ctrl-C publishes the rest and ends"
    );
    play(tasks, describe, tell, news)
}

/// Plays the cluster for this many tasks.
fn play(
    tasks: u32,
    describe: &Arc<Describe>,
    tell: Sender<News>,
    news: Receiver<News>,
) -> Result<()> {
    let attempt = now_as_attempt();
    let ranks = (0..tasks).zip(threads(tasks)).map(|(rank, wiring)| {
        let at = At {
            name: String::new(),
            job: "local".to_owned(),
            attempt,
            rank,
            tasks,
            waker: Waker::new(|| {}),
        };
        start(at, wiring, Arc::clone(describe), tell.clone())
    });
    let ranks = ranks.collect::<Result<Vec<_>>>()?;
    Committing {
        ranks,
        news,
        last: 0,
        pending: None,
        finished: BTreeSet::new(),
        ended: 0,
        is_interrupted: false,
    }
    .run()
}

fn tasks() -> Result<u32> {
    let Ok(said) = std::env::var(TASKS) else {
        return Ok(1);
    };
    match said.parse() {
        Ok(tasks @ 1..=MOST_TASKS) => Ok(tasks),
        Ok(_) | Err(_) => Err(Error::Malformed(vec![format!(
            "{TASKS} is {said:?}, and should be a number from 1 to {MOST_TASKS}"
        )])),
    }
}

/// A rank, as the thread that commits sees it.
struct Rank {
    orders: Sender<Order>,
    waker: Waker,
}

fn start(at: At, wiring: Wiring, describe: Arc<Describe>, tell: Sender<News>) -> Result<Rank> {
    let rank = at.rank;
    let (orders, taken) = channel();
    let (reports, reported) = channel();
    let tell_reports = tell.clone();
    spawn(format!("reports {rank}"), move || {
        for report in reported {
            // Nobody listens at the very end.
            let _ = tell_reports.send(News::Reported(rank, report));
        }
    })?;
    let worker = spawn(format!("rank {rank}"), move || {
        let worker = thread::current();
        let at = At {
            waker: Waker::new(move || worker.unpark()),
            ..at
        };
        let plan = Plan::of(&*describe);
        let opened = plan.and_then(|plan| plan.open(&at, Restored::default()));
        let ended = opened.and_then(|opened| {
            let room = Room::new(MOST_ON_THE_WAY, at.waker.clone());
            let seat = Seat {
                at,
                orders: taken,
                reports,
                room,
            };
            work(wiring, &*describe, opened, seat)
        });
        let _ = tell.send(News::Ended(ended));
    })?;
    Ok(Rank {
        orders,
        waker: Waker::new(move || worker.unpark()),
    })
}

/// Asks for checkpoints and commits them: what a JobManager does, without writing anything down.
struct Committing {
    ranks: Vec<Rank>,
    news: Receiver<News>,
    /// The last number that was asked for.
    last: u64,
    /// It, and who has acknowledged it.
    pending: Option<BTreeSet<u32>>,
    finished: BTreeSet<u32>,
    ended: usize,
    is_interrupted: bool,
}

impl Committing {
    fn run(mut self) -> Result<()> {
        let mut due = now() + INTERVAL;
        let mut is_stopped = false;
        while self.ended < self.ranks.len() {
            if self.pending.is_none() && !is_stopped {
                if self.finished.len() == self.ranks.len() {
                    // The last checkpoint has nothing but last files.
                    self.last += 1;
                    self.tell(|| Order::Committed { number: self.last });
                    is_stopped = true;
                } else if now() >= due || self.is_interrupted {
                    self.last += 1;
                    self.pending = Some(BTreeSet::new());
                    self.tell(|| Order::Checkpoint { number: self.last });
                    due = now() + INTERVAL;
                }
                if is_stopped {
                    exit::stopping();
                    self.tell(|| Order::Stop);
                }
            }
            let rest = match self.pending.is_some() || is_stopped {
                true => INTERVAL,
                false => due.saturating_duration_since(now()),
            };
            match self.news.recv_timeout(rest) {
                Ok(news) => self.take(news)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if let Some(acked) = &self.pending
                && (0..self.ranks.len() as u32)
                    .all(|rank| acked.contains(&rank) || self.finished.contains(&rank))
            {
                self.pending = None;
                self.tell(|| Order::Committed { number: self.last });
                if self.is_interrupted && !is_stopped {
                    is_stopped = true;
                    exit::stopping();
                    self.tell(|| Order::Stop);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, news: News) -> Result<()> {
        match news {
            News::Reported(rank, Report::Whole(Snapshot::Checkpoint(number), _)) => {
                if let Some(acked) = self.pending.as_mut().filter(|_| number == self.last) {
                    acked.insert(rank);
                }
            }
            News::Reported(rank, Report::Whole(Snapshot::Last, _)) => {
                self.finished.insert(rank);
            }
            // A snapshot that is given up is one for which the last files stand.
            News::Reported(..) => {}
            News::Ended(ended) => {
                self.ended += 1;
                return ended;
            }
            News::Interrupted => self.is_interrupted = true,
        }
        Ok(())
    }

    fn tell(&self, order: impl Fn() -> Order) {
        for rank in &self.ranks {
            // One that has ended says why.
            let _ = rank.orders.send(order());
            rank.waker.wake();
        }
    }
}

/// The first Ctrl-C ends the job in good order, the second one at once.
fn watch_for_ctrl_c(tell: Sender<News>) -> Result<()> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    // Threads that are started later have this from their parent.
    signals.thread_block().map_err(|errno| Error::Io {
        doing: "waiting for Ctrl-C".to_owned(),
        cause: errno.into(),
    })?;
    let watch = move || {
        let mut has_asked = false;
        while let Ok(signal) = signals.wait() {
            if has_asked {
                // As a shell reports it.
                std::process::exit(128 + signal as i32);
            }
            has_asked = true;
            let _ = tell.send(News::Interrupted);
        }
    };
    spawn("ctrl-c".to_owned(), watch).map(drop)
}

#[expect(
    clippy::disallowed_methods,
    reason = "checkpoints are made every so often, and nothing else depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

/// Attempts rise: what refuses older ones goes on working from run to run.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no cluster that counts attempts"
)]
fn now_as_attempt() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(1, |since| since.as_secs().max(1))
}
