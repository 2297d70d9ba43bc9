//! Captures the log of the code under test.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once, PoisonError};

use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// Sets a subscriber for the whole process before anything is logged. Otherwise, if no subscriber
/// wants a line, it may be disabled for good while another test sets its own subscriber.
pub fn listen() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_writer(io::sink)
            .init();
    });
}

/// The log of everything that is opened on this thread while its guard lives.
#[derive(Clone)]
pub struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    /// Lines without this word come from other crates.
    of: &'static str,
}

impl Log {
    /// Begins at level INFO. Keeps only lines that contain the word `of`, for example the name of a
    /// crate, or all lines if it is empty.
    pub fn begin(of: &'static str) -> (Self, DefaultGuard) {
        Self::begin_at(Level::INFO, of)
    }

    /// Begins at another level.
    pub fn begin_at(level: Level, of: &'static str) -> (Self, DefaultGuard) {
        listen();
        let log = Self {
            text: Arc::default(),
            of,
        };
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&text);
        let ours = |line: &&str| line.contains(self.of);
        text.lines().filter(ours).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut log = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        log.write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
