//! The signals that this program is sent.

use std::io::IsTerminal;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Everything that is listened to.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user_1: Signal,
    user_2: Signal,
    /// Whether a hang-up means that the terminal is gone, and not that the command is to read its configuration again.
    on_terminal: bool,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
            on_terminal: std::io::stderr().is_terminal(),
        })
    }

    /// Waits for SIGTERM, SIGINT or the end of the terminal: end. What else comes is not kept for a command that starts later.
    pub(super) async fn end(&mut self) {
        while let Some(signal) = self.next().await {
            tracing::info!(
                signal,
                "not passed on: no command runs, or it is being ended"
            );
        }
    }

    /// Waits for a signal: the number of one that is passed on to the command, `None` for one to end.
    pub(super) async fn next(&mut self) -> Option<i32> {
        tokio::select! {
            _ = self.terminate.recv() => None,
            _ = self.interrupt.recv() => None,
            _ = self.hang_up.recv() => (!self.on_terminal).then_some(SignalKind::hangup().as_raw_value()),
            _ = self.user_1.recv() => Some(SignalKind::user_defined1().as_raw_value()),
            _ = self.user_2.recv() => Some(SignalKind::user_defined2().as_raw_value()),
        }
    }
}
