//! The signals that this program receives.

use std::io::IsTerminal;

use incumbent_guard::Ignored;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that are listened to. `None`: the signal was ignored when the program started, as
/// under `nohup`, and stays ignored.
pub(crate) struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
    quit: Option<Signal>,
    hang_up: Option<Signal>,
    user_1: Option<Signal>,
    user_2: Option<Signal>,
    /// Whether a hang-up means that the terminal is closed, and not that the command is to read its
    /// configuration again.
    on_terminal: bool,
}

impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        let ignored = Ignored::now();
        let listen = |kind: SignalKind| {
            let is_heeded = !ignored.has(kind.as_raw_value());
            is_heeded.then(|| signal(kind)).transpose()
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
            hang_up: listen(SignalKind::hangup())?,
            user_1: listen(SignalKind::user_defined1())?,
            user_2: listen(SignalKind::user_defined2())?,
            on_terminal: std::io::stderr().is_terminal(),
        })
    }

    /// Waits until the program is to end; see [`next`](Self::next). A signal for the command is
    /// dropped: no command runs that could receive it.
    pub(crate) async fn end(&mut self) {
        while let Some(signal) = self.next().await {
            tracing::info!(
                signal,
                "signal dropped: no command runs, or it is being ended"
            );
        }
    }

    /// Waits for a signal. The number of one for the command; `None` if the program is to end:
    /// SIGTERM, SIGINT, SIGQUIT, or the terminal was closed.
    pub(crate) async fn next(&mut self) -> Option<i32> {
        tokio::select! {
            () = received(&mut self.terminate) => None,
            () = received(&mut self.interrupt) => None,
            () = received(&mut self.quit) => None,
            () = received(&mut self.hang_up) => (!self.on_terminal).then_some(SignalKind::hangup().as_raw_value()),
            () = received(&mut self.user_1) => Some(SignalKind::user_defined1().as_raw_value()),
            () = received(&mut self.user_2) => Some(SignalKind::user_defined2().as_raw_value()),
        }
    }
}

/// Lets a write fail that would make a file larger than the process may (`ulimit -f`,
/// `LimitFSIZE=`), as on a full disk. Otherwise the kernel ends this program, without a line in
/// the log.
///
/// Must be called inside a Tokio runtime. The programs that this one starts get the signal as
/// usual.
pub(crate) fn heed_file_limit() -> std::io::Result<()> {
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    if !Ignored::now().has(kind.as_raw_value()) {
        // Only the handler matters, and it stays for good.
        drop(signal(kind)?);
    }
    Ok(())
}

/// Waits for this signal; forever if it is ignored.
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
