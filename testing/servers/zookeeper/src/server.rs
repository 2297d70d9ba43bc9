//! A server from its start to its end.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::Options;
use crate::install::Install;
use crate::process::Process;

/// Ports to choose from. Below those that the system gives to connections (32768 and up): while the
/// server is down, a client that tries again and again would sooner or later be connected to
/// itself.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// A machine that is busy with other things takes long to start a JVM.
const LONGEST_START: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
const LONGEST_ANSWER: Duration = Duration::from_secs(5);
/// Somebody else may take the port between our choice and the server's start.
const STARTS: usize = 5;

/// A real, standalone ZooKeeper on 127.0.0.1. Dropping it kills it and removes what it wrote.
///
/// Its calls block, for about a second where a JVM starts. If the process that started it is
/// killed, so is the server.
pub struct ZooKeeper {
    install: Install,
    options: Options,
    port: u16,
    directory: TempDir,
    data: PathBuf,
    process: Mutex<Option<Process>>,
}

impl ZooKeeper {
    /// Starts one and waits until it serves. `None`, said aloud, if Java or ZooKeeper is not
    /// installed.
    ///
    /// # Panics
    ///
    /// If it does not come up; if it is not installed, and `INCUMBENT_REQUIRE_ZOOKEEPER` is set.
    pub fn start(options: Options) -> Option<Self> {
        let mut why = None;
        for _ in 0..STARTS {
            match Self::try_start(Install::find()?, options.clone()) {
                Ok(server) => return Some(server),
                Err(error) => why = Some(error),
            }
        }
        panic!("ZooKeeper does not start: {why:?}")
    }

    /// One with the default options that all tests of this process share: a start costs about a
    /// second.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<ZooKeeper>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start(Options::default()))
            .as_ref()
    }

    fn try_start(install: Install, options: Options) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("real-zookeeper-")
            .tempdir()?;
        let data = match &options.data_dir {
            Some(directory) => directory.clone(),
            None => directory.path().join("data"),
        };
        std::fs::create_dir_all(&data)?;
        let server = Self {
            install,
            port: free_port()?,
            data: data.canonicalize()?,
            options,
            directory,
            process: Mutex::new(None),
        };
        server.launch()?;
        Ok(server)
    }

    /// Where it listens, as in `127.0.0.1:20731`. It stays so over restarts.
    pub fn address(&self) -> String {
        self.socket().to_string()
    }

    /// Where it listens.
    pub fn socket(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where its snapshots and logs lie.
    pub fn data_dir(&self) -> &Path {
        &self.data
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

    /// Kills it, with no time to say farewell. Its data stay. Does nothing if it does not run.
    pub fn kill(&self) {
        *self.process() = None;
    }

    /// Starts it on the same data and port, and waits until it serves; kills it before if it runs.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn restart(&self) {
        self.kill();
        if let Err(error) = self.launch() {
            panic!("ZooKeeper does not start again: {error}");
        }
    }

    /// Stops it (SIGSTOP): connections stay and nobody answers.
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

    /// The answer to a four-letter word, as in `ruok` or `mntr`.
    ///
    /// # Errors
    ///
    /// If it does not answer in five seconds.
    pub fn ask(&self, word: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.socket(), LONGEST_ANSWER)?;
        stream.set_read_timeout(Some(LONGEST_ANSWER))?;
        stream.write_all(word.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn launch(&self) -> io::Result<()> {
        let config = self.directory.path().join("zoo.cfg");
        std::fs::write(&config, self.config())?;
        let mut command = Command::new(&self.install.java);
        command
            .args(&self.options.jvm_flags)
            .arg(format!(
                "-Dorg.slf4j.simpleLogger.defaultLogLevel={}",
                self.options.log_level
            ))
            .arg("-Dzookeeper.jmx.log4j.disable=true");
        for (name, value) in &self.options.properties {
            command.arg(format!("-D{name}={value}"));
        }
        command
            .args(["-cp", &self.install.classpath])
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(config)
            .current_dir(self.directory.path());
        let temporary = Some(self.directory.path());
        let mut process = Process::start(&mut command, &self.output_file(), temporary)?;
        self.wait_until_it_serves(&mut process)?;
        *self.process() = Some(process);
        Ok(())
    }

    fn config(&self) -> String {
        let mut lines = self.options.config.clone();
        lines.push(format!("dataDir={}", self.data.display()));
        lines.push("clientPortAddress=127.0.0.1".to_owned());
        lines.push(format!("clientPort={}\n", self.port));
        lines.join("\n")
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it waits for a condition of another process, which nothing signals"
    )]
    fn wait_until_it_serves(&self, process: &mut Process) -> io::Result<()> {
        let until = Instant::now() + LONGEST_START;
        // What serves there may be somebody else's.
        let ours = format!("dataDir={}", self.data.display());
        loop {
            if let Some(status) = process.ended()? {
                let output = self.output();
                return Err(io::Error::other(format!("it ended, {status}: {output}")));
            }
            if self.ask("conf").is_ok_and(|answer| answer.contains(&ours)) {
                return Ok(());
            }
            if Instant::now() >= until {
                let output = self.output();
                return Err(io::Error::other(format!("it does not serve: {output}")));
            }
            std::thread::sleep(POLL);
        }
    }

    fn signal(&self, signal: Signal) {
        let process = self.process();
        let process = process.as_ref().expect("the server runs");
        process.signal(signal).expect("a child can be signalled");
    }

    fn output_file(&self) -> PathBuf {
        self.directory.path().join("output")
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A port of 127.0.0.1 that nobody listens on, for one more of a server's, as in
/// `secureClientPort`.
///
/// Nothing keeps it free: somebody may take it before it is used.
///
/// # Errors
///
/// If there is none.
pub fn free_port() -> io::Result<u16> {
    let mut last = None;
    for _ in 0..100 {
        let port = rand::random_range(PORTS);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("no port is free")))
}
