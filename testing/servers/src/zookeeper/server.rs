//! A server from its start to its end.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::install::Install;
use super::options::Options;
use crate::free_port;
use crate::running::{self, Running};

const LONGEST_ANSWER: Duration = Duration::from_secs(5);

/// A real, standalone ZooKeeper on 127.0.0.1. Dropping it kills the server and removes its data.
///
/// Its methods block, for about a second when they start a JVM. If the process that started the
/// server is killed, the server is killed too.
pub struct ZooKeeper {
    install: Install,
    options: Options,
    port: u16,
    data: PathBuf,
    running: Running,
}

impl ZooKeeper {
    /// Starts a server and waits until it serves. Returns `None`, with a message, if Java or
    /// ZooKeeper is not installed.
    ///
    /// # Panics
    ///
    /// If the server does not start, or is not installed while `INCUMBENT_REQUIRE_ZOOKEEPER` is
    /// set.
    pub fn start(options: Options) -> Option<Self> {
        Install::find()?;
        let server = running::start("ZooKeeper", || Self::try_start(options.clone()));
        Some(server)
    }

    /// A server with the default options that all tests of this process share, because a start
    /// takes about a second.
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

    fn try_start(options: Options) -> io::Result<Self> {
        let running = Running::new("zookeeper")?;
        let data = match &options.data_dir {
            Some(directory) => directory.clone(),
            None => running.directory().join("data"),
        };
        std::fs::create_dir_all(&data)?;
        let server = Self {
            install: Install::find().expect("it was found before"),
            port: free_port()?,
            data: data.canonicalize()?,
            options,
            running,
        };
        server.launch()?;
        Ok(server)
    }

    /// The address that it listens on, as in `127.0.0.1:20731`. Restarts keep it.
    pub fn address(&self) -> String {
        self.socket().to_string()
    }

    /// The address that it listens on.
    pub fn socket(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The directory with its snapshots and logs.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// Kills the server if it runs, starts it on the same data and port, and waits until it serves.
    ///
    /// # Panics
    ///
    /// If the server does not start.
    pub fn restart(&self) {
        self.kill();
        if let Err(error) = self.launch() {
            panic!("ZooKeeper does not start again: {error}");
        }
    }

    /// The answer to a four-letter word, such as `ruok` or `mntr`.
    ///
    /// # Errors
    ///
    /// If the server does not answer in five seconds.
    pub fn ask(&self, word: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.socket(), LONGEST_ANSWER)?;
        stream.set_read_timeout(Some(LONGEST_ANSWER))?;
        stream.write_all(word.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn launch(&self) -> io::Result<()> {
        let config = self.running.directory().join("zoo.cfg");
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
            .arg(config);
        self.running.launch(&mut command)?;
        // A different server may answer on this port.
        let ours = format!("dataDir={}", self.data.display());
        let serves = |answer: String| answer.contains(&ours);
        self.running.wait(|| self.ask("conf").is_ok_and(serves))
    }

    fn config(&self) -> String {
        let mut lines = self.options.config.clone();
        lines.push(format!("dataDir={}", self.data.display()));
        lines.push("clientPortAddress=127.0.0.1".to_owned());
        lines.push(format!("clientPort={}\n", self.port));
        lines.join("\n")
    }
}

impl Deref for ZooKeeper {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}
