//! A job without a cluster: this process plays it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Thread;
use std::time::Duration;

use timely::communication::Hooks;
use timely::communication::allocator::ProcessBuilder;

use super::Describe;
use crate::api::Job;
use crate::engine::{Plan, Seat, Wiring, work};
use crate::orders::{Order, Report, Restored, Snapshot};
use crate::{At, Error, Result, Waker};

/// How many threads share the work: `INCUMBENT_STREAM_TASKS`, 1 if it is not set.
const TASKS: &str = "INCUMBENT_STREAM_TASKS";

/// How often output appears.
const EVERY: Duration = Duration::from_secs(1);

/// From the threads.
enum News {
    Report(u32, Report),
    Ended(Result<()>),
}

/// Runs the job on threads of this process, until its input ends.
///
/// # Errors
///
/// What failed.
pub(super) fn run(describe: impl Fn(&Job<'_>) + Send + Sync + 'static) -> Result<()> {
    let tasks = match std::env::var(TASKS) {
        Err(_) => 1,
        Ok(text) => {
            (text.parse().ok().filter(|tasks| (1..=128).contains(tasks))).ok_or_else(|| {
                Error::Malformed(vec![format!(
                    "{TASKS} is `{text}`, and must be a number from 1 to 128"
                )])
            })?
        }
    };
    #[expect(clippy::print_stderr, reason = "a person has started this")]
    {
        eprintln!("no cluster: this process runs the job alone, and keeps none of its state");
    }
    play(tasks, Arc::new(describe))
}

/// Plays the cluster for this many tasks.
pub(crate) fn play(tasks: u32, describe: Arc<Describe>) -> Result<()> {
    let (tell, news) = channel();
    let mut gang = Vec::new();
    for (rank, wiring) in (0..tasks).zip(threads(tasks)) {
        gang.push(start(
            rank,
            tasks,
            wiring,
            Arc::clone(&describe),
            tell.clone(),
        )?);
    }
    coordinate(&gang, &news)
}

/// How workers that are threads of one process reach each other.
pub(crate) fn threads(tasks: u32) -> Vec<Wiring> {
    if tasks == 1 {
        return vec![Wiring::Alone];
    }
    // Between threads too, records are encoded: what cannot be is then found without a cluster.
    let refill = Hooks::default().refill;
    let builders = ProcessBuilder::new_bytes_vector(tasks as usize, refill, None);
    builders.into_iter().map(Wiring::Threads).collect()
}

type Member = (Sender<Order>, Thread);

fn start(
    rank: u32,
    tasks: u32,
    wiring: Wiring,
    describe: Arc<Describe>,
    tell: Sender<News>,
) -> Result<Member> {
    let (order, orders) = channel();
    let (report, reports) = channel();
    let passes = tell.clone();
    let pass_on = move || {
        for report in reports {
            // Nobody listens any more when the process ends.
            let _ = passes.send(News::Report(rank, report));
        }
    };
    std::thread::spawn(pass_on);
    let run = move || {
        let this = std::thread::current();
        let at = At {
            name: String::new(),
            job: "local".to_owned(),
            attempt: 1,
            rank,
            tasks,
            waker: Waker::new(move || this.unpark()),
        };
        let ended = Plan::of(&*describe).and_then(|plan| {
            let opened = plan.open(&at, Restored::default())?;
            let seat = Seat {
                at,
                orders,
                reports: report,
            };
            work(wiring, &*describe, opened, seat)
        });
        let _ = tell.send(News::Ended(ended));
    };
    let thread = std::thread::Builder::new().name(format!("task {rank}"));
    let thread = thread
        .spawn(run)
        .map_err(super::io("cannot start a thread"))?;
    Ok((order, thread.thread().clone()))
}

/// Asks for a checkpoint every second, commits it when all have it, and ends when all have ended.
fn coordinate(gang: &[Member], news: &Receiver<News>) -> Result<()> {
    let all = gang.len();
    let (mut number, mut whole, mut last, mut ended) = (0, 0, 0, 0);
    let mut is_pending = false;
    loop {
        match news.recv_timeout(EVERY) {
            Ok(News::Report(_, Report::Whole(Snapshot::Checkpoint(_), _))) => {
                whole += 1;
                if whole == all {
                    (whole, is_pending) = (0, false);
                    order(gang, || Order::Committed { number });
                }
            }
            Ok(News::Report(_, Report::Whole(Snapshot::Last, _))) => {
                last += 1;
                if last == all {
                    number += 1;
                    order(gang, || Order::Committed { number });
                    order(gang, || Order::Stop);
                }
            }
            Ok(News::Report(_, Report::Failed(error)) | News::Ended(Err(error))) => {
                return Err(error);
            }
            Ok(News::Ended(Ok(()))) => {
                ended += 1;
                if ended == all {
                    return Ok(());
                }
            }
            Ok(News::Report(..)) => {}
            Err(RecvTimeoutError::Timeout) if !is_pending && last == 0 => {
                number += 1;
                is_pending = true;
                order(gang, || Order::Checkpoint { number });
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn order(gang: &[Member], order: impl Fn() -> Order) {
    for (orders, thread) in gang {
        // One that has ended says why.
        let _ = orders.send(order());
        thread.unpark();
    }
}
