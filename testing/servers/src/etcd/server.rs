//! A server from its start to its end.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use super::install::Install;
use super::options::Options;
use crate::free_port;
use crate::running::{self, Running};

const LONGEST_ANSWER: Duration = Duration::from_secs(5);

/// A real etcd server on 127.0.0.1. Dropping it kills the server and removes its data.
///
/// Its methods block. If the process that started the server is killed, the server is killed too.
pub struct Etcd {
    install: Install,
    options: Options,
    member: Member,
    running: Running,
}

/// The server's place in its cluster.
pub(crate) struct Member {
    pub(crate) name: String,
    /// All members of the cluster: `s0=http://127.0.0.1:20001,s1=…`.
    pub(crate) peers: String,
    pub(crate) ports: Ports,
}

/// The ports of one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    /// For clients.
    pub(crate) client: u16,
    /// For the other servers.
    pub(crate) peer: u16,
    /// For questions about its health.
    pub(crate) health: u16,
}

impl Etcd {
    /// Starts a server and waits until it serves. Returns `None`, with a message, if etcd is not
    /// installed.
    ///
    /// # Panics
    ///
    /// If the server does not start, or etcd is not installed while `INCUMBENT_REQUIRE_FOREIGN` is
    /// set.
    pub fn start(options: Options) -> Option<Self> {
        Install::find()?;
        let server = running::start("etcd", || Self::try_start(options.clone()));
        Some(server)
    }

    /// A server with the default options that all tests of this process share.
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

    fn try_start(options: Options) -> io::Result<Self> {
        let ports = Ports::choose()?;
        let member = Member {
            name: "alone".to_owned(),
            peers: format!("alone=http://127.0.0.1:{}", ports.peer),
            ports,
        };
        let server = Self::launched(options, member)?;
        server.wait_until_it_serves()?;
        Ok(server)
    }

    /// Starts a server, which may not serve yet.
    pub(crate) fn launched(options: Options, member: Member) -> io::Result<Self> {
        let server = Self {
            install: Install::find().expect("it was found before"),
            options,
            member,
            running: Running::new("etcd")?,
        };
        server.launch()?;
        Ok(server)
    }

    /// The address that it listens on for clients, as in `127.0.0.1:20731`. Restarts keep it.
    pub fn address(&self) -> String {
        self.socket().to_string()
    }

    /// The address that it listens on for clients.
    pub fn socket(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.member.ports.client).into()
    }

    /// Kills the server if it runs, starts it on the same data and ports, and waits until it
    /// serves.
    ///
    /// # Panics
    ///
    /// If the server does not start.
    pub fn restart(&self) {
        self.kill();
        let restarted = self.launch().and_then(|()| self.wait_until_it_serves());
        if let Err(error) = restarted {
            panic!("etcd does not start again: {error}");
        }
    }

    /// Like [`restart`](Self::restart), but replaces the data with this snapshot, as
    /// `etcdctl snapshot restore` does.
    ///
    /// # Panics
    ///
    /// If the restore or the start fails.
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
            // A new token makes it another cluster.
            "--initial-cluster-token=restored",
        ]);
        restored.expect("a snapshot is restored");
        self.restart();
    }

    /// Runs `etcdctl` with these arguments and returns its output.
    ///
    /// # Errors
    ///
    /// If `etcdctl` fails. The error contains its output.
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

    /// One of the server's metrics, such as `etcd_server_is_leader`. `None` if it has no metric
    /// with this name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let metrics = self.ask("/metrics").ok()?;
        let value = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
        metrics.lines().find_map(value)
    }

    /// Whether it leads its cluster now.
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
        self.running.launch(command.args(&self.options.arguments))
    }

    pub(crate) fn wait_until_it_serves(&self) -> io::Result<()> {
        // The server gives this answer after a read that a majority agreed on.
        let serves = |answer: String| answer.contains(r#""health":"true""#);
        self.running.wait(|| self.ask("/health").is_ok_and(serves))
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

    fn data(&self) -> PathBuf {
        self.running.directory().join("data")
    }
}

impl Deref for Etcd {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}

impl Ports {
    /// Chooses three ports on which nothing listens.
    pub(crate) fn choose() -> io::Result<Self> {
        Ok(Self {
            client: free_port()?,
            peer: free_port()?,
            health: free_port()?,
        })
    }
}
