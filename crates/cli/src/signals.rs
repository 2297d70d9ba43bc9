//! The signals that this program is sent.

use std::io::IsTerminal;

use incumbent_guard::Ignored;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Everything that is listened to: `None` is ignored since the start, as under `nohup`, and stays
/// so.
pub(crate) struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
    hang_up: Option<Signal>,
    user_1: Option<Signal>,
    user_2: Option<Signal>,
    /// Whether a hang-up means that the terminal is gone, and not that the command is to read its
    /// configuration again.
    on_terminal: bool,
}

impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        let ignored = Ignored::now();
        let listen = |kind: SignalKind| {
            let heeded = !ignored.has(kind.as_raw_value());
            heeded.then(|| signal(kind)).transpose()
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
            user_1: listen(SignalKind::user_defined1())?,
            user_2: listen(SignalKind::user_defined2())?,
            on_terminal: std::io::stderr().is_terminal(),
        })
    }

    /// Waits for SIGTERM, SIGINT or the end of the terminal: end. What else comes is not kept for a
    /// command that starts later.
    pub(crate) async fn end(&mut self) {
        while let Some(signal) = self.next().await {
            tracing::info!(
                signal,
                "not passed on: no command runs, or it is being ended"
            );
        }
    }

    /// Waits for a signal: the number of one that is passed on to the command, `None` for one to
    /// end.
    pub(crate) async fn next(&mut self) -> Option<i32> {
        tokio::select! {
            _ = received(&mut self.terminate) => None,
            _ = received(&mut self.interrupt) => None,
            _ = received(&mut self.hang_up) => (!self.on_terminal).then_some(SignalKind::hangup().as_raw_value()),
            _ = received(&mut self.user_1) => Some(SignalKind::user_defined1().as_raw_value()),
            _ = received(&mut self.user_2) => Some(SignalKind::user_defined2().as_raw_value()),
        }
    }
}

/// Waits for this signal; for one that is ignored, for ever.
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
