//! [`Gang`]: the tasks of a job in a test, which are threads.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use incumbent_state::{Block, KeyGroup};
use serde_json::Value;

use super::PATIENCE;
use crate::api::Job;
use crate::engine::{Plan, Seat, Wiring, work};
use crate::mesh::threads;
use crate::orders::{Asked, Blocks, Order, Query, Report, Restored, Snapshot, Whole};
use crate::room::{MOST_ON_THE_WAY, Room};
use crate::{At, Error, Waker};

pub(super) type Describe = dyn Fn(&Job<'_>) + Send + Sync;

/// What a rank has in a checkpoint.
#[derive(Clone, Default)]
pub(super) struct Part {
    whole: Whole,
    blocks: Vec<Block>,
}

/// How often something is looked at that nobody reports.
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(super) struct Gang {
    members: Vec<Member>,
    news: Receiver<(u32, News)>,
    /// What the snapshot that is under way has so far, by rank.
    parts: BTreeMap<(Snapshot, u32), Part>,
    /// The ranks that have all of a snapshot.
    whole: BTreeMap<Snapshot, u32>,
}

struct Member {
    orders: Sender<Order>,
    thread: JoinHandle<()>,
}

enum News {
    Report(Report),
    Ended(Result<(), Error>),
    Panicked,
}

impl Gang {
    /// Starts all tasks, from this checkpoint if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], [`Error::DoesNotFit`].
    pub(super) fn start(
        tasks: u32,
        describe: &Arc<Describe>,
        number: u64,
        checkpoint: &[Part],
    ) -> Result<Self, Error> {
        let plan = Plan::of(&**describe)?;
        let faults = plan.unfit(&restored(number, checkpoint, 0, tasks));
        if !faults.is_empty() {
            return Err(Error::DoesNotFit(faults));
        }
        let (tell, news) = channel();
        let mut gang = Self {
            members: Vec::new(),
            news,
            parts: BTreeMap::new(),
            whole: BTreeMap::new(),
        };
        for (rank, wiring) in (0..tasks).zip(threads(tasks)) {
            let restored = restored(number, checkpoint, rank, tasks);
            let start = Start {
                rank,
                tasks,
                wiring,
                describe: Arc::clone(describe),
                restored,
            };
            gang.members.push(start.thread(tell.clone()));
        }
        let mut built = 0;
        while built < tasks {
            match gang.hear("tasks to begin") {
                (_, News::Report(Report::Built)) => built += 1,
                (_, News::Ended(Err(error))) => return Err(error),
                other => gang.take(other),
            }
        }
        Ok(gang)
    }

    pub(super) fn wake(&self) {
        for member in &self.members {
            member.thread.thread().unpark();
        }
    }

    /// Waits until this is so.
    pub(super) fn wait(&mut self, what: &str, is_so: impl Fn() -> bool) {
        let began = now();
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "waited too long for {what}");
            match self.news.recv_timeout(LOOK_EVERY) {
                Ok(news) => self.take(news),
                Err(RecvTimeoutError::Timeout) => self.wake(),
                Err(RecvTimeoutError::Disconnected) => panic!("all tasks have ended"),
            }
        }
    }

    /// Makes a checkpoint. `None` if the job has ended before.
    pub(super) fn checkpoint(&mut self, number: u64) -> Option<Vec<Part>> {
        if self.is_whole(Snapshot::Last) {
            return None;
        }
        self.order(|| Order::Checkpoint { number });
        let wanted = Snapshot::Checkpoint(number);
        while !self.is_whole(wanted) && !self.is_whole(Snapshot::Last) {
            let news = self.hear("a checkpoint");
            self.take(news);
        }
        match self.is_whole(wanted) {
            true => Some(self.parts_of(wanted)),
            false => Some(self.parts_of(Snapshot::Last)),
        }
    }

    /// Waits for the end of the input, and what there is then.
    pub(super) fn last(&mut self) -> Vec<Part> {
        while !self.is_whole(Snapshot::Last) {
            let news = self.hear("the end of the input");
            self.take(news);
        }
        self.parts_of(Snapshot::Last)
    }

    pub(super) fn commit(&mut self, number: u64) {
        self.order(|| Order::Committed { number });
    }

    /// What is kept for a key, of the task that has it.
    pub(super) fn state(&mut self, state: &str, key: &Value) -> Option<Value> {
        let (answer, answers) = channel();
        self.order(|| {
            Order::Query(Query {
                state: state.to_owned(),
                what: Asked::Key(key.clone()),
                answer: answer.clone(),
            })
        });
        let mut found = None;
        for _ in 0..self.members.len() {
            let answer = answers.recv_timeout(PATIENCE);
            let answer = answer.unwrap_or_else(|_| panic!("no answer about state `{state}`"));
            let answer = answer.unwrap_or_else(|reason| panic!("state `{state}`: {reason}"));
            found = answer.entries.into_iter().next().or(found);
        }
        found.map(|(_, value)| value)
    }

    pub(super) fn stop(&mut self) {
        self.order(|| Order::Stop);
        for member in self.members.drain(..) {
            // One that has panicked has said so.
            let _ = member.thread.join();
        }
    }

    fn order(&self, order: impl Fn() -> Order) {
        for member in &self.members {
            // One that has ended says why.
            let _ = member.orders.send(order());
            member.thread.thread().unpark();
        }
    }

    fn hear(&self, what: &str) -> (u32, News) {
        match self.news.recv_timeout(PATIENCE) {
            Ok(news) => news,
            Err(_) => panic!("waited too long for {what}"),
        }
    }

    fn take(&mut self, (rank, news): (u32, News)) {
        match news {
            News::Report(Report::Begun(snapshot)) => {
                self.parts.insert((snapshot, rank), Part::default());
            }
            News::Report(Report::Block(snapshot, block, _)) => {
                let part = self.parts.entry((snapshot, rank)).or_default();
                part.blocks.push(block);
            }
            News::Report(Report::Whole(snapshot, whole)) => {
                self.parts.entry((snapshot, rank)).or_default().whole = whole;
                *self.whole.entry(snapshot).or_default() += 1;
            }
            News::Ended(Err(error)) => {
                panic!("the job has failed: {}", with_causes(&error))
            }
            News::Panicked => panic!("task {rank} has panicked: its message is above"),
            News::Report(Report::Built | Report::GivenUp(_) | Report::Metrics(_))
            | News::Ended(Ok(())) => {}
        }
    }

    fn is_whole(&self, snapshot: Snapshot) -> bool {
        let all = self.members.len();
        self.whole
            .get(&snapshot)
            .is_some_and(|ranks| *ranks as usize == all)
    }

    fn parts_of(&self, wanted: Snapshot) -> Vec<Part> {
        let of = self
            .parts
            .iter()
            .filter(|((snapshot, _), _)| *snapshot == wanted);
        of.map(|(_, part)| part.clone()).collect()
    }
}

impl Drop for Gang {
    fn drop(&mut self) {
        // A test that fails does not wait for what may have failed too.
        match std::thread::panicking() {
            true => self.order(|| Order::Stop),
            false => self.stop(),
        }
    }
}

/// What one task needs to begin.
struct Start {
    rank: u32,
    tasks: u32,
    wiring: Wiring,
    describe: Arc<Describe>,
    restored: Restored,
}

impl Start {
    fn thread(self, tell: Sender<(u32, News)>) -> Member {
        let rank = self.rank;
        let (order, orders) = channel();
        let (report, reports) = channel();
        let passes = tell.clone();
        std::thread::spawn(move || {
            for report in reports {
                // Nobody listens any more after the test.
                let _ = passes.send((rank, News::Report(report)));
            }
        });
        let thread = std::thread::spawn(move || {
            let ended = std::panic::catch_unwind(AssertUnwindSafe(|| self.run(orders, report)));
            let news = ended.map_or(News::Panicked, News::Ended);
            let _ = tell.send((rank, news));
        });
        Member {
            orders: order,
            thread,
        }
    }

    fn run(self, orders: Receiver<Order>, reports: Sender<Report>) -> Result<(), Error> {
        let this = std::thread::current();
        let at = At {
            name: String::new(),
            job: "test".to_owned(),
            attempt: 1,
            rank: self.rank,
            tasks: self.tasks,
            waker: Waker::new(move || this.unpark()),
        };
        let opened = Plan::of(&*self.describe)?.open(&at, self.restored)?;
        let room = Room::new(MOST_ON_THE_WAY, at.waker.clone());
        let seat = Seat {
            at,
            orders,
            reports,
            room,
        };
        work(self.wiring, &*self.describe, opened, seat)
    }
}

/// The share that a rank has in a checkpoint.
fn restored(number: u64, parts: &[Part], rank: u32, tasks: u32) -> Restored {
    let mut restored = Restored {
        number,
        ..Restored::default()
    };
    let owned = KeyGroup::owned(rank, tasks);
    let mut owned_blocks = Vec::new();
    for part in parts {
        for (name, state) in &part.whole.states {
            let known = restored.states.entry(name.clone());
            let known = known.or_insert_with(|| state.clone());
            known.watermark = known.watermark.min(state.watermark);
        }
        for (name, source) in &part.whole.sources {
            let known = restored.sources.entry(name.clone()).or_default();
            known.splits.extend(source.splits.clone());
        }
        for (name, staged) in &part.whole.sinks {
            let known = restored.sinks.entry(name.clone()).or_default();
            known.extend(staged.iter().cloned());
        }
        let blocks = part.blocks.iter();
        let mine = blocks.filter(|block| owned.contains(&block.group.number()));
        owned_blocks.extend(mine.cloned().map(Ok));
    }
    restored.blocks = Blocks::new(owned_blocks.into_iter());
    restored
}

pub(super) fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(each) = cause {
        text.push_str(": ");
        text.push_str(&each.to_string());
        cause = each.source();
    }
    text
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that hangs is to fail some day"
)]
fn now() -> Instant {
    Instant::now()
}
