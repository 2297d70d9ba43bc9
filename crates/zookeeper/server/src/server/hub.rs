//! What all connections share: the machine behind one lock, and the queues of what it sends.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use incumbent_journal::{AppendError, Durable, Failure, Journal, SnapshotError};
use incumbent_zk_proto::jute::frame;
use incumbent_zk_proto::{ConnectRequest, Id, PASSWORD_BYTES};
use tokio::sync::{Notify, SetOnce, watch};
use tracing::warn;

use super::hub_sink::{HubSink, give_up};
use super::meters::Meters;
use super::once::Once;
use super::options::{Options, ROOM_BESIDE};
use super::outbound::Outbound;
use super::peer::Peer;
use super::stats::Stats;
use crate::machine::{ConnectionId, Machine, Now, Refused, SessionId};

/// What all connections share.
pub(super) struct Hub {
    pub(super) options: Options,
    pub(super) stats: Stats,
    pub(super) meters: Meters,
    state: Mutex<HubState>,
    journal: Option<Journal>,
    durable: watch::Receiver<Durable>,
    started: Instant,
    /// Notified when the next tick is earlier than the ticker knows.
    pub(super) sooner: Notify,
    /// Why the log refused a change although it can be written. The server ends.
    broken: SetOnce<AppendError>,
    /// Clients that have seen a newer state, by address and session.
    pub(super) ahead: Once<(IpAddr, i64)>,
}

pub(super) struct HubState {
    pub(super) machine: Machine,
    pub(super) peers: HashMap<ConnectionId, Peer>,
    next_connection: u64,
    /// The newest change that was logged. Replies and events from now on may be sent when it is
    /// durable.
    logged: u64,
    /// When the ticker runs next.
    pub(super) next_tick: Duration,
    /// Room for an entry on its way to the log.
    entry: Vec<u8>,
    /// Entries for which the log had no room. A request waits for room before it is handled, so
    /// these are of what does not wait: sessions that end, nodes that fade.
    pub(super) late: VecDeque<(u64, Vec<u8>)>,
}

/// The most frames of one connection that are handled before others have their turn.
const FRAMES_AT_ONCE: u64 = 128;

/// The longest time that is spent on them; the last one may take longer.
const TIME_AT_ONCE: Duration = Duration::from_millis(1);

impl Hub {
    pub(super) fn new(
        options: Options,
        machine: Machine,
        journal: Option<Journal>,
        started: Instant,
    ) -> Self {
        let durable = match &journal {
            Some(journal) => journal.durable(),
            None => {
                watch::channel(Durable {
                    index: u64::MAX,
                    failure: None,
                })
                .1
            }
        };
        let logged = u64::try_from(machine.zxid()).unwrap_or(0);
        Self {
            options,
            stats: Stats::default(),
            meters: Meters::default(),
            state: Mutex::new(HubState {
                next_tick: machine.next_tick(),
                machine,
                peers: HashMap::new(),
                next_connection: 1,
                logged: if journal.is_some() { logged } else { 0 },
                entry: Vec::new(),
                late: VecDeque::new(),
            }),
            journal,
            durable,
            started,
            sooner: Notify::new(),
            broken: SetOnce::new(),
            ahead: Once::default(),
        }
    }

    pub(super) fn durable(&self) -> watch::Receiver<Durable> {
        self.durable.clone()
    }

    /// Begins to serve. Every session gets its whole time-out from now on.
    pub(super) fn start(&self) {
        let now = self.now();
        let mut state = self.state();
        state.machine.start(now);
        state.next_tick = state.machine.next_tick();
    }

    /// Waits until the log refuses a change although it can be written.
    pub(super) async fn broken(&self) -> AppendError {
        self.broken.wait().await.clone()
    }

    /// Waits until the log has room for a change that no request makes.
    pub(super) async fn room(&self) -> Result<(), Failure> {
        match &self.journal {
            Some(journal) => journal.room().await,
            None => Ok(()),
        }
    }

    pub(super) fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, HubState> {
        // A panic in the machine may have left it half changed: no client may see that.
        self.state
            .lock()
            .unwrap_or_else(|_: PoisonError<_>| panic!("the server failed and must be restarted"))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the server looks at clocks"
    )]
    pub(super) fn now(&self) -> Now {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let wall_ms = since_1970.map_or(0, |since| since.as_millis());
        Now {
            elapsed: self.started.elapsed(),
            wall_ms: i64::try_from(wall_ms).unwrap_or(i64::MAX),
        }
    }

    pub(super) fn enter(&self, address: SocketAddr, secure: bool, since: SystemTime) -> Entered {
        let mut state = self.state();
        let connection = ConnectionId(state.next_connection);
        state.next_connection += 1;
        let outbound = Arc::new(Outbound::default());
        let counts = Arc::new(Stats::default());
        let peer = Peer {
            address,
            secure,
            outbound: Arc::clone(&outbound),
            counts: Arc::clone(&counts),
            since,
        };
        state.peers.insert(connection, peer);
        Entered {
            connection,
            outbound,
            counts,
        }
    }

    /// Something shows that the client lives, although its requests are not read now.
    pub(super) fn heard(&self, entered: &Entered) {
        let mut state = self.state();
        let now = self.now();
        state.machine.heard(entered.connection, now);
    }

    pub(super) fn leave(&self, connection: ConnectionId, closed: bool) {
        let mut state = self.state();
        state.peers.remove(&connection);
        state.machine.disconnect(connection, closed, self.now());
        self.reschedule(&state);
    }

    /// Gives a connection its session, and queues the answer.
    ///
    /// Returns `None` if the session that the client asked for is over.
    pub(super) fn connect(
        &self,
        entered: &Entered,
        ids: Vec<Id>,
        request: &ConnectRequest<'_>,
    ) -> Result<Option<(SessionId, Duration)>, Refused> {
        let password: [u8; PASSWORD_BYTES] = rand::random();
        let mut state = self.state();
        self.catch_up(&mut state);
        let (machine, mut sink) = self.split(&mut state, Some(entered.connection));
        let now = self.now();
        let answer = machine.connect(entered.connection, ids, request, password, now, &mut sink)?;
        let after = *sink.logged;
        entered
            .outbound
            .push(after, |out| frame(out, |out| answer.write(out)));
        self.reschedule(&state);
        let timeout = Duration::from_millis(u64::from(answer.timeout_ms.unsigned_abs()));
        Ok((answer.session != 0).then_some((SessionId(answer.session), timeout)))
    }

    /// Handles the frames at the start of `bytes`.
    ///
    /// # Errors
    ///
    /// The length of the first frame, if it is impossible.
    pub(super) fn handle(&self, entered: &Entered, bytes: &[u8]) -> Result<Handled, i32> {
        let connection = entered.connection;
        let mut handled = Handled::default();
        let Some(mut next) = next_frame(bytes, self.options.max_frame)? else {
            return Ok(handled);
        };
        let mut state = self.state();
        let now = self.now();
        self.catch_up(&mut state);
        loop {
            if !self.has_room(&state) {
                // The client lives, although its request waits.
                state.machine.heard(connection, now);
                handled.is_stuck = true;
                break;
            }
            let (machine, mut sink) = self.split(&mut state, Some(connection));
            let before = *sink.logged;
            machine.handle(connection, next, now, &mut sink);
            handled.updates += u64::from(*sink.logged != before);
            handled.frames += 1;
            handled.bytes += incumbent_zk_proto::jute::LENGTH_BYTES + next.len();
            handled.after = *sink.logged;
            // Replies may be much longer than requests.
            let is_full = entered.outbound.bytes() > self.options.max_backlog;
            // Some requests take as long as thousands of others.
            let is_long = self.started.elapsed().saturating_sub(now.elapsed) > TIME_AT_ONCE;
            if handled.frames >= FRAMES_AT_ONCE || is_full || is_long {
                break;
            }
            match next_frame(&bytes[handled.bytes..], self.options.max_frame) {
                Ok(Some(frame)) => next = frame,
                // An impossible length is reported when everything before it is handled.
                Ok(None) | Err(_) => break,
            }
        }
        let snapshot = self.snapshot_if_due(&state);
        drop(state);
        report(snapshot);
        Ok(handled)
    }

    /// Whether the log has room for the largest change that a request can make.
    pub(super) fn has_room(&self, state: &HubState) -> bool {
        let Some(journal) = &self.journal else {
            return true;
        };
        let needed = self.options.machine.max_change + ROOM_BESIDE;
        let limit = self.options.journal.buffer_bytes;
        state.late.is_empty() && !self.broken.initialized() && journal.waiting() + needed <= limit
    }

    /// Logs the entries that waited for room.
    pub(super) fn catch_up(&self, state: &mut HubState) {
        let Some(journal) = &self.journal else { return };
        while let Some((index, entry)) = state.late.front() {
            match journal.append(*index, entry) {
                Ok(()) => state.late.pop_front(),
                Err(AppendError::Full { .. }) => return,
                Err(error) => return give_up(&self.broken, error),
            };
        }
    }

    /// Begins a snapshot if it is time for one. What went wrong is for [`report`], when the lock is
    /// free.
    pub(super) fn snapshot_if_due(&self, state: &HubState) -> Result<(), SnapshotError> {
        let journal = self.journal.as_ref();
        let due = |journal: &&Journal| journal.snapshot_due() && state.late.is_empty();
        let Some(journal) = journal.filter(due) else {
            return Ok(());
        };
        let frozen = state.machine.freeze();
        let index = u64::try_from(frozen.zxid()).expect("zxids are not negative");
        // The journal logs what comes of it.
        journal
            .snapshot(index, move |out| frozen.write(out))
            .map(drop)
    }

    fn reschedule(&self, state: &HubState) {
        if state.machine.next_tick() < state.next_tick {
            self.sooner.notify_one();
        }
    }

    pub(super) fn split<'a>(
        &'a self,
        state: &'a mut HubState,
        speaker: Option<ConnectionId>,
    ) -> (&'a mut Machine, HubSink<'a>) {
        let sink = HubSink {
            journal: self.journal.as_ref(),
            peers: &state.peers,
            logged: &mut state.logged,
            entry: &mut state.entry,
            late: &mut state.late,
            broken: &self.broken,
            stats: &self.stats,
            meters: &self.meters,
            speaker,
        };
        (&mut state.machine, sink)
    }
}

/// Logs why no snapshot was begun.
pub(super) fn report(snapshot: Result<(), SnapshotError>) {
    if let Err(error) = snapshot {
        warn!(%error, "cannot begin a snapshot; the log is kept, retrying after more changes");
    }
}

/// The handle of a connection that was counted in.
pub(super) struct Entered {
    pub(super) connection: ConnectionId,
    pub(super) outbound: Arc<Outbound>,
    pub(super) counts: Arc<Stats>,
}

/// How far [`Hub::handle`] came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Handled {
    pub(super) bytes: usize,
    pub(super) frames: u64,
    /// How many of them changed something.
    pub(super) updates: u64,
    /// The replies may be sent when this change is durable.
    pub(super) after: u64,
    pub(super) is_stuck: bool,
}

/// The frame at the start of these bytes, if it is complete.
fn next_frame(bytes: &[u8], longest: usize) -> Result<Option<&[u8]>, i32> {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return Ok(None);
    };
    let length = i32::from_be_bytes(*length);
    match usize::try_from(length) {
        Ok(length) if length <= longest => Ok(rest.get(..length)),
        _ => Err(length),
    }
}
