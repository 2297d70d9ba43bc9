//! The common part of all servers: a process, its directory, its output.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::Process;

/// A busy machine takes long to start a JVM or to elect a leader.
const LONGEST_START: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// The number of attempts. Another process may take a port between our choice and the server's
/// start.
const STARTS: usize = 5;

/// A server's process and its directory. Dropping it kills the process and removes the directory.
///
/// Its methods block.
pub struct Running {
    name: &'static str,
    directory: TempDir,
    process: Mutex<Option<Process>>,
}

impl Running {
    /// Makes the directory; there is no process yet.
    pub(crate) fn new(name: &'static str) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(&format!("real-{name}-"))
            .tempdir()?;
        Ok(Self {
            name,
            directory,
            process: Mutex::new(None),
        })
    }

    /// Starts the process in its directory. It may not serve yet.
    pub(crate) fn launch(&self, command: &mut Command) -> io::Result<()> {
        let directory = self.directory();
        command.current_dir(directory);
        let process = Process::start(command, &self.output_file(), Some(directory))?;
        *self.process() = Some(process);
        Ok(())
    }

    /// Waits until `serves` returns true.
    #[expect(
        clippy::disallowed_methods,
        reason = "it waits for a condition of another process, which nothing signals"
    )]
    pub(crate) fn wait(&self, serves: impl Fn() -> bool) -> io::Result<()> {
        let until = Instant::now() + LONGEST_START;
        loop {
            let ended = self.process().as_mut().map(Process::ended).transpose()?;
            if let Some(Some(status)) = ended {
                return Err(self.failed(&format!("ended with {status}")));
            }
            if serves() {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(self.failed("does not serve"));
            }
            std::thread::sleep(POLL);
        }
    }

    fn failed(&self, how: &str) -> io::Error {
        io::Error::other(format!("{} {how}: {}", self.name, self.output()))
    }

    /// The server's temporary directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The server's output since the first start.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.output_file()).unwrap_or_default()
    }

    /// The process ID.
    ///
    /// # Panics
    ///
    /// If the server was killed.
    pub fn pid(&self) -> u32 {
        self.process().as_ref().expect("the server runs").id()
    }

    /// Kills the server (SIGKILL). Its data stay. Does nothing if the server does not run.
    pub fn kill(&self) {
        *self.process() = None;
    }

    /// Stops the server (SIGSTOP): its connections stay open, and it answers nothing.
    ///
    /// # Panics
    ///
    /// If the server was killed.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Continues the server after [`pause`](Self::pause).
    ///
    /// # Panics
    ///
    /// If the server was killed.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process();
        let process = process.as_ref().expect("the server runs");
        process.signal(signal).expect("a child can be signalled");
    }

    fn output_file(&self) -> PathBuf {
        self.directory().join("output")
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a server. Tries again with other ports if some were taken.
///
/// # Panics
///
/// If the server never starts.
pub(crate) fn start<T>(name: &str, mut start: impl FnMut() -> io::Result<T>) -> T {
    let mut why = None;
    for _ in 0..STARTS {
        match start() {
            Ok(server) => return server,
            Err(error) => why = Some(error),
        }
    }
    panic!("{name} does not start: {why:?}")
}

/// Reports that a program is not installed, so tests are skipped.
///
/// # Panics
///
/// If the environment variable `required` is set.
pub fn skip(missing: &str, required: &str, remedy: &str) {
    assert!(
        std::env::var_os(required).is_none(),
        "{required} is set, and there is no {missing}: {remedy}"
    );
    // `eprintln!` does not work here: the test harness hides the output of a passing test.
    let _ = writeln!(
        io::stderr(),
        "SKIPPED: there is no {missing}; to run this, {remedy}"
    );
}
