//! A server from its start to its end.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::Options;
use crate::install::Install;
use crate::ports::Ports;
use crate::process::Process;

/// A machine that is busy with other things takes long to elect a leader.
const LONGEST_START: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
const LONGEST_ANSWER: Duration = Duration::from_secs(5);
/// Somebody else may take a port between our choice and the server's start.
pub(crate) const STARTS: usize = 5;

/// A real etcd server on 127.0.0.1. Dropping it kills it and removes what it wrote.
///
/// Its calls block. If the process that started it is killed, so is the server.
pub struct Etcd {
    install: Install,
    options: Options,
    member: Member,
    directory: TempDir,
    process: Mutex<Option<Process>>,
}

/// Which one of several it is.
pub(crate) struct Member {
    pub(crate) name: String,
    /// All of them: `s0=http://127.0.0.1:20001,s1=…`.
    pub(crate) peers: String,
    pub(crate) ports: Ports,
}

impl Etcd {
    /// Starts one and waits until it serves. `None`, said aloud, if etcd is not installed.
    ///
    /// # Panics
    ///
    /// If it does not come up; if it is not installed, and `INCUMBENT_REQUIRE_FOREIGN` is set.
    pub fn start(options: Options) -> Option<Self> {
        let mut why = None;
        for _ in 0..STARTS {
            match Self::try_start(Install::find()?, options.clone()) {
                Ok(server) => return Some(server),
                Err(error) => why = Some(error),
            }
        }
        panic!("etcd does not start: {why:?}")
    }

    /// One with the default options that all tests of this process share.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Etcd>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start(Options::default()))
            .as_ref()
    }

    fn try_start(install: Install, options: Options) -> io::Result<Self> {
        let ports = Ports::choose()?;
        let member = Member {
            name: "alone".to_owned(),
            peers: format!("alone=http://127.0.0.1:{}", ports.peer),
            ports,
        };
        let server = Self::launched(install, options, member)?;
        server.wait_until_it_serves()?;
        Ok(server)
    }

    /// One that runs, and may not serve yet.
    pub(crate) fn launched(install: Install, options: Options, member: Member) -> io::Result<Self> {
        let server = Self {
            install,
            options,
            member,
            directory: tempfile::Builder::new().prefix("real-etcd-").tempdir()?,
            process: Mutex::new(None),
        };
        server.launch()?;
        Ok(server)
    }

    /// Where it listens for clients, as in `127.0.0.1:20731`. It stays so over restarts.
    pub fn address(&self) -> String {
        self.socket().to_string()
    }

    /// Where it listens for clients.
    pub fn socket(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.member.ports.client).into()
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

    /// Starts it on the same data and ports, and waits until it serves; kills it before if it runs.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn restart(&self) {
        self.kill();
        let restarted = self.launch().and_then(|()| self.wait_until_it_serves());
        if let Err(error) = restarted {
            panic!("etcd does not start again: {error}");
        }
    }

    /// As [`restart`](Self::restart), with what this snapshot holds in place of its data, as
    /// `etcdctl snapshot restore` does it.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn restore(&self, snapshot: &str) {
        self.kill();
        let data = self.data();
        std::fs::remove_dir_all(&data).expect("its own directory can be removed");
        let (name, peers) = (&self.member.name, &self.member.peers);
        let restored = self.ctl(&[
            "snapshot",
            "restore",
            snapshot,
            &format!("--data-dir={}", data.display()),
            &format!("--name={name}"),
            &format!("--initial-cluster={peers}"),
            &format!("--initial-advertise-peer-urls={}", self.peer_url()),
            // Another one than before: it is another cluster.
            "--initial-cluster-token=restored",
        ]);
        restored.expect("a snapshot is restored");
        self.restart();
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

    /// What `etcdctl` says to this, and that it succeeded.
    ///
    /// # Errors
    ///
    /// What it says if it fails.
    pub fn ctl(&self, arguments: &[&str]) -> io::Result<String> {
        let mut command = Command::new(&self.install.etcdctl);
        command
            .env("ETCDCTL_API", "3")
            .arg(format!("--endpoints={}", self.client_url()));
        if let Some(tls) = &self.options.tls {
            command
                .arg(format!("--cacert={}", tls.ca.display()))
                .arg(format!("--cert={}", tls.cert.display()))
                .arg(format!("--key={}", tls.key.display()));
        }
        let Output {
            status,
            stdout,
            stderr,
        } = command.args(arguments).output()?;
        match status.success() {
            true => Ok(String::from_utf8_lossy(&stdout).into_owned()),
            false => {
                let said = String::from_utf8_lossy(&stderr);
                Err(io::Error::other(format!("etcdctl {arguments:?}: {said}")))
            }
        }
    }

    /// One of the figures that it tells about itself, as in `etcd_server_is_leader`. `None` if it
    /// tells none of this name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let metrics = self.ask("/metrics").ok()?;
        let value = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
        metrics.lines().find_map(value)
    }

    /// Whether it leads the others of its cluster just now.
    pub(crate) fn leads(&self) -> bool {
        self.metric("etcd_server_is_leader") == Some(1.0)
    }

    fn launch(&self) -> io::Result<()> {
        let Ports { health, .. } = self.member.ports;
        let mut command = Command::new(&self.install.etcd);
        command
            .arg(format!("--name={}", self.member.name))
            .arg(format!("--data-dir={}", self.data().display()))
            .arg(format!("--initial-cluster={}", self.member.peers))
            .arg(format!("--listen-peer-urls={}", self.peer_url()))
            .arg(format!("--initial-advertise-peer-urls={}", self.peer_url()))
            .arg(format!("--listen-client-urls={}", self.client_url()))
            .arg(format!("--advertise-client-urls={}", self.client_url()))
            .arg(format!("--listen-metrics-urls=http://127.0.0.1:{health}"));
        if let Some(tls) = &self.options.tls {
            command
                .arg("--client-cert-auth")
                .arg(format!("--trusted-ca-file={}", tls.ca.display()))
                .arg(format!("--cert-file={}", tls.cert.display()))
                .arg(format!("--key-file={}", tls.key.display()));
        }
        command
            .args(&self.options.arguments)
            .current_dir(self.directory.path());
        let temporary = Some(self.directory.path());
        let process = Process::start(&mut command, &self.output_file(), temporary)?;
        *self.process() = Some(process);
        Ok(())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it waits for a condition of another process, which nothing signals"
    )]
    pub(crate) fn wait_until_it_serves(&self) -> io::Result<()> {
        let until = Instant::now() + LONGEST_START;
        loop {
            let ended = self.process().as_mut().map(Process::ended).transpose()?;
            if let Some(Some(status)) = ended {
                let output = self.output();
                return Err(io::Error::other(format!("it ended, {status}: {output}")));
            }
            // It says so after a read that went through most of the servers.
            let serves = |answer: String| answer.contains(r#""health":"true""#);
            if self.ask("/health").is_ok_and(serves) {
                return Ok(());
            }
            if Instant::now() >= until {
                let output = self.output();
                return Err(io::Error::other(format!("it does not serve: {output}")));
            }
            std::thread::sleep(POLL);
        }
    }

    fn ask(&self, path: &str) -> io::Result<String> {
        let socket = (Ipv4Addr::LOCALHOST, self.member.ports.health).into();
        let mut stream = TcpStream::connect_timeout(&socket, LONGEST_ANSWER)?;
        stream.set_read_timeout(Some(LONGEST_ANSWER))?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn client_url(&self) -> String {
        let scheme = self.options.tls.as_ref().map_or("http", |_| "https");
        format!("{scheme}://{}", self.address())
    }

    fn peer_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.member.ports.peer)
    }

    fn signal(&self, signal: Signal) {
        let process = self.process();
        let process = process.as_ref().expect("the server runs");
        process.signal(signal).expect("a child can be signalled");
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn output_file(&self) -> PathBuf {
        self.directory.path().join("output")
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
