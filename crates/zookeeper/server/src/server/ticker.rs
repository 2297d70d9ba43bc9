//! Lets time pass.

use std::time::Duration;

use tracing::warn;

use super::hub::Hub;

/// The ticker looks no more often than this because of time-outs alone.
const SHORTEST_BEAT: Duration = Duration::from_millis(50);

/// A tick that is later than this is so because the server was held up.
const HELD_UP: Duration = Duration::from_millis(20);

impl Hub {
    /// Lets time pass for the machine, for ever.
    pub(super) async fn ticker(&self) {
        let least = self.options.machine.min_session_timeout;
        let beat = (least / 4).max(SHORTEST_BEAT);
        let mut durable = self.durable();
        let mut due = self.now().elapsed;
        loop {
            durable.borrow_and_update();
            let now = self.now();
            let late = now.elapsed.saturating_sub(due);
            let (wait, is_behind) = {
                let mut state = self.state();
                if late > (least / 2).max(HELD_UP) {
                    // The server itself was asleep: nobody can say who was silent.
                    warn!(
                        seconds = late.as_secs_f64(),
                        "the server was held up; all sessions have their time again"
                    );
                    state.machine.start(now);
                } else if late > HELD_UP {
                    state.machine.held_up(late, now);
                }
                self.catch_up(&mut state);
                let (machine, mut voice) = self.split(&mut state, None);
                machine.tick(now, &mut voice);
                state.next_tick = state.machine.next_tick();
                self.snapshot_if_due(&state);
                let wait = state.next_tick.saturating_sub(now.elapsed);
                (wait, !state.late.is_empty())
            };
            // Also without anything to do: only who looks often knows how long it was asleep.
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
