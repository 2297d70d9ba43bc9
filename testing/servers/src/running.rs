//! What all servers have in common: a process, its directory, its output.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::Process;

/// A machine that is busy with other things takes long to start a JVM or to elect a leader.
const LONGEST_START: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// Another process may take a port between our choice and the server's start.
const STARTS: usize = 5;

/// A server's process and its directory. Dropping it kills the process and removes the directory.
///
/// Its calls block.
pub struct Running {
    name: &'static str,
    directory: TempDir,
    process: Mutex<Option<Process>>,
}

impl Running {
    /// A directory, and no process yet.
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

    /// Waits until it serves, as `serves` says.
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

    /// Its temporary directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it wrote to its output since the first start.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.output_file()).unwrap_or_default()
    }

    /// The number of the process.
    ///
    /// # Panics
    ///
    /// If it was killed.
    pub fn pid(&self) -> u32 {
        self.process().as_ref().expect("the server runs").id()
    }

    /// Kills it (SIGKILL). Its data stay. Does nothing if it does not run.
    pub fn kill(&self) {
        *self.process() = None;
    }

    /// Stops it (SIGSTOP): connections stay and nothing answers.
    ///
    /// # Panics
    ///
    /// If it was killed.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`pause`](Self::pause).
    ///
    /// # Panics
    ///
    /// If it was killed.
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

/// Starts a server, also with other ports if some were taken.
///
/// # Panics
///
/// If it never starts.
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

/// Reports that something is not installed, so that tests are skipped.
///
/// # Panics
///
/// If the environment variable `required` is set.
pub(crate) fn skip(missing: &str, required: &str, remedy: &str) {
    assert!(
        std::env::var_os(required).is_none(),
        "{required} is set, and there is no {missing}: {remedy}"
    );
    // Not `eprintln!`: the output of a test that passes is not shown.
    let _ = writeln!(
        io::stderr(),
        "SKIPPED: there is no {missing}; to run this, {remedy}"
    );
}
