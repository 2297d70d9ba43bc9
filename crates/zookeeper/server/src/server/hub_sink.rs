//! Performs what the machine decides: writes the log, and fills the queues of connections.

use std::collections::{HashMap, VecDeque};

use incumbent_journal::{AppendError, Journal};
use incumbent_zk_proto::jute::frame;
use incumbent_zk_proto::{ReplyHeader, Response, WatchEvent, xid};
use tokio::sync::SetOnce;
use tracing::warn;

use super::meters::Meters;
use super::outbound::Outbound;
use super::peer::Peer;
use super::stats::Stats;
use crate::machine::{Closed, ConnectionId, Entry, Sink};

/// Performs what the machine decides, under the lock of the hub.
pub(super) struct HubSink<'a> {
    pub(super) journal: Option<&'a Journal>,
    pub(super) peers: &'a HashMap<ConnectionId, Peer>,
    pub(super) logged: &'a mut u64,
    pub(super) entry: &'a mut Vec<u8>,
    pub(super) late: &'a mut VecDeque<(u64, Vec<u8>)>,
    pub(super) broken: &'a SetOnce<AppendError>,
    pub(super) stats: &'a Stats,
    pub(super) meters: &'a Meters,
    /// The connection whose task is running: it looks at its queue by itself.
    pub(super) speaker: Option<ConnectionId>,
}

impl HubSink<'_> {
    /// Gives the outbound queue of a connection to `push`, and gives back what that does: nothing,
    /// if the connection is gone.
    fn to<T: Default>(&self, to: ConnectionId, push: impl FnOnce(&Outbound) -> T) -> T {
        let Some(peer) = self.peers.get(&to) else {
            return T::default();
        };
        let pushed = push(&peer.outbound);
        if self.speaker != Some(to) {
            peer.outbound.added.notify_one();
        }
        pushed
    }
}

impl Sink for HubSink<'_> {
    fn log(&mut self, entry: &Entry) {
        let Some(journal) = self.journal else { return };
        self.entry.clear();
        entry.write(self.entry);
        let index = u64::try_from(entry.zxid()).expect("zxids are not negative");
        // Never behind one that is missing: that would make it look durable, and the log
        // unreadable.
        if self.broken.initialized() {
            *self.logged = index;
            return;
        }
        let appended = if self.late.is_empty() {
            journal.append(index, self.entry)
        } else {
            Err(AppendError::Full {
                waiting: 0,
                limit: 0,
            })
        };
        match appended {
            Ok(()) => {}
            Err(AppendError::Full { .. }) => self.late.push_back((index, self.entry.clone())),
            Err(error) => give_up(self.broken, error),
        }
        // In any case, what follows is not sent before this is durable.
        *self.logged = index;
    }

    fn reply(&mut self, to: ConnectionId, header: ReplyHeader, body: Option<&Response>) {
        self.stats.count_sent(1);
        let bytes = self.to(to, |outbound| {
            outbound.push(*self.logged, |out| {
                frame(out, |out| {
                    header.write(out);
                    if let Some(body) = body {
                        body.write(out);
                    }
                });
            })
        });
        self.meters.reply_bytes.add(bytes);
    }

    fn event(&mut self, to: ConnectionId, event: &WatchEvent, zxid: i64) {
        self.stats.count_sent(1);
        let bytes = self.to(to, |outbound| {
            outbound.push_event(*self.logged, |out| {
                frame(out, |out| {
                    let header = ReplyHeader {
                        xid: xid::EVENT,
                        zxid,
                        err: 0,
                    };
                    header.write(out);
                    event.write(out);
                });
            })
        });
        self.meters.event_bytes.add(bytes);
    }

    fn close(&mut self, connection: ConnectionId, why: Closed) {
        // The connection logs it when it ends, outside the lock.
        if why == Closed::AuthFailed {
            self.meters.auth_failures.add(1);
        }
        self.to(connection, |outbound| outbound.close(why));
    }
}

/// The machine is ahead of the log from now on: nothing more is acknowledged.
pub(super) fn give_up(broken: &SetOnce<AppendError>, error: AppendError) {
    if !broken.initialized() {
        warn!(%error, "cannot log a change; nothing is acknowledged any more, and the server stops");
        let _ = broken.set(error);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use incumbent_zk_proto::ConnectRequest;

    use super::*;
    use crate::machine::{Machine, Now, Options};

    #[tokio::test]
    async fn nothing_is_logged_behind_what_could_not_be() {
        let dir = tempfile::tempdir().unwrap();
        let options = incumbent_journal::Options::default();
        let opened = Journal::open(dir.path(), options, |_| Ok(())).unwrap();
        let journal = opened.journal;
        // As if another machine had logged it: the log refuses the first change of this one.
        journal.append(1, b"").unwrap();
        journal.flush().await.unwrap();
        let mut machine = Machine::new(Options::default(), 0);
        let (mut logged, mut entry, mut late) = (0, Vec::new(), VecDeque::new());
        let (peers, broken, stats) = (HashMap::new(), SetOnce::new(), Stats::default());
        let meters = Meters::default();
        let request = ConnectRequest {
            last_zxid_seen: 0,
            timeout_ms: 10_000,
            session: 0,
            password: &[0; 16],
            read_only: None,
        };
        let now = Now {
            elapsed: Duration::ZERO,
            wall_ms: 0,
        };
        for connection in 1..=3 {
            let mut sink = HubSink {
                journal: Some(&journal),
                peers: &peers,
                logged: &mut logged,
                entry: &mut entry,
                late: &mut late,
                broken: &broken,
                stats: &stats,
                meters: &meters,
                speaker: None,
            };
            let connection = ConnectionId(connection);
            let connected =
                machine.connect(connection, Vec::new(), &request, [0; 16], now, &mut sink);
            connected.unwrap();
        }
        assert!(broken.initialized());
        assert_eq!(logged, 3);
        journal.flush().await.unwrap();
        assert_eq!(journal.durable().borrow().index, 1);
    }
}
