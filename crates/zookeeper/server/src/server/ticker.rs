//! Lets time pass for the machine.

use std::time::Duration;

use tracing::warn;

use super::hub::{Hub, report};

/// The shortest pause between two ticks that only look how long the server slept.
const SHORTEST_BEAT: Duration = Duration::from_millis(50);

/// A tick that is later than this shows that the server was held up.
const HELD_UP: Duration = Duration::from_millis(20);

impl Hub {
    /// Lets time pass for the machine. Never ends.
    pub(super) async fn ticker(&self) {
        let least = self.options.machine.min_session_timeout;
        let beat = (least / 4).max(SHORTEST_BEAT);
        let mut durable = self.durable();
        let mut due = self.now().elapsed;
        let mut last = due;
        let mut last_synced = 0;
        loop {
            let synced = durable.borrow_and_update().index;
            // Under load the log is full too, and its syncs make room all the time.
            let has_stalled = synced == std::mem::replace(&mut last_synced, synced);
            let now = self.now();
            let late = now.elapsed.saturating_sub(due);
            let since = now
                .elapsed
                .saturating_sub(std::mem::replace(&mut last, now.elapsed));
            // The server itself was asleep: which clients were silent cannot be known.
            let was_asleep = late > (least / 2).max(HELD_UP);
            let (wait, is_behind, snapshot) = {
                let mut state = self.state();
                if was_asleep {
                    state.machine.start(now);
                } else if has_stalled && !self.has_room(&state) {
                    // No request is read until the disk goes on, so no client can be heard.
                    state.machine.held_up(since, now);
                } else if late > HELD_UP {
                    state.machine.held_up(late, now);
                }
                self.catch_up(&mut state);
                let (machine, mut sink) = self.split(&mut state, None);
                machine.tick(now, &mut sink);
                state.next_tick = state.machine.next_tick();
                let snapshot = self.snapshot_if_due(&state);
                let wait = state.next_tick.saturating_sub(now.elapsed);
                (wait, !state.late.is_empty(), snapshot)
            };
            report(snapshot);
            if was_asleep {
                warn!(
                    seconds = late.as_secs_f64(),
                    "the server was held up; every session gets its whole time-out again"
                );
            }
            // Also if nothing is to be done: how long the server slept shows only if it looks
            // often.
            let wait = wait.min(beat);
            due = now.elapsed + wait;
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.sooner.notified() => due = due.min(self.now().elapsed),
                _ = durable.changed(), if is_behind => due = due.min(self.now().elapsed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::{Instant, SystemTime};

    use incumbent_journal::Journal;
    use incumbent_zk_proto::ConnectRequest;

    use super::super::options::Options;
    use super::*;
    use crate::machine::{self, Machine};

    /// A server with one session, and no task that serves a connection.
    fn hub(dir: &std::path::Path, largest_change: usize) -> Hub {
        let machine_options = machine::Options {
            min_session_timeout: Duration::from_millis(200),
            max_change: largest_change,
            ..machine::Options::default()
        };
        let options = Options {
            machine: machine_options.clone(),
            ..Options::local()
        };
        let opened = Journal::open(dir, options.journal.clone(), |_| Ok(())).unwrap();
        let machine = Machine::new(machine_options, 0);
        #[expect(clippy::disallowed_methods, reason = "the server's time begins")]
        let (started, since) = (Instant::now(), SystemTime::now());
        let hub = Hub::new(options, machine, Some(opened.journal), started);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let entered = hub.enter(address, false, since);
        let request = ConnectRequest {
            last_zxid_seen: 0,
            timeout_ms: 200,
            session: 0,
            password: &[0; 16],
            read_only: None,
        };
        let connected = hub.connect(&entered, Vec::new(), &request).unwrap();
        assert!(connected.is_some());
        hub
    }

    fn sessions(hub: &Hub) -> usize {
        hub.state().machine.summary().sessions
    }

    /// While the log has no room, no request is read: silence says nothing about a client.
    #[tokio::test]
    async fn a_disk_that_stalls_ends_no_session() {
        let dir = tempfile::tempdir().unwrap();
        let full = hub(dir.path(), usize::MAX / 2);
        assert!(!full.has_room(&full.state()));
        let several_timeouts = Duration::from_millis(1_000);
        let ticking = tokio::time::timeout(several_timeouts, full.ticker());
        assert!(ticking.await.is_err(), "the ticker never ends");
        assert_eq!(sessions(&full), 1);
    }

    #[tokio::test]
    async fn a_silent_session_ends_if_the_log_has_room() {
        let dir = tempfile::tempdir().unwrap();
        let hub = hub(dir.path(), 1 << 10);
        let ended = async {
            while sessions(&hub) > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = hub.ticker() => panic!("the ticker never ends"),
            () = ended => {}
            () = tokio::time::sleep(Duration::from_secs(30)) => panic!("it lives for ever"),
        }
    }
}
