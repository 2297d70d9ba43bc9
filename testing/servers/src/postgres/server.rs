//! A server from its start to its end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::install::Install;
use crate::free_port;
use crate::running::{self, Running};

/// The superuser, and the database that is there from the beginning.
const USER: &str = "postgres";

/// What makes a server small and quick. Its data survive the death of its processes, as the kernel
/// has them.
const SETTINGS: &[&str] = &[
    "fsync=off",
    "shared_buffers=16MB",
    "max_connections=60",
    "autovacuum=off",
];

/// How long a start on the data of a killed server is tried. Its processes notice the death of the
/// first one only when they look, and nothing starts before they are gone.
const LONGEST_RESTART: Duration = Duration::from_secs(60);

/// The options of a [`Postgres`]. The defaults suit most tests.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Options {
    settings: Vec<String>,
    tls: Option<(String, String)>,
}

impl Options {
    /// Sets a parameter of the server, such as `max_connections=5`. The last one wins.
    pub fn setting(mut self, setting: impl Into<String>) -> Self {
        self.settings.push(setting.into());
        self
    }

    /// Offers TLS with this certificate and this key, in PEM.
    pub fn tls(mut self, certificate: impl Into<String>, key: impl Into<String>) -> Self {
        self.tls = Some((certificate.into(), key.into()));
        self
    }
}

/// A real PostgreSQL server on 127.0.0.1. Dropping it kills the server and removes its data.
///
/// Its methods block. If the process that started the server is killed, the server is killed too.
/// [`pause`](Running::pause) stops the process that accepts connections and none of those that
/// serve one; a [`Proxy`](crate::Proxy) can stall these.
pub struct Postgres {
    install: Install,
    options: Options,
    port: u16,
    running: Running,
}

impl Postgres {
    /// Starts a server and waits until it serves. Returns `None`, with a message, if PostgreSQL is
    /// not installed.
    ///
    /// # Panics
    ///
    /// If the server does not start, or is not installed while `INCUMBENT_REQUIRE_FOREIGN` is set.
    pub fn start(options: Options) -> Option<Self> {
        let install = Install::find()?;
        Some(running::start("PostgreSQL", || {
            Self::try_start(install.clone(), options.clone())
        }))
    }

    /// A server with the default options that all tests of this process share. Each should use a
    /// [database](Self::database) of its own.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start(Options::default()))
            .as_ref()
    }

    fn try_start(install: Install, options: Options) -> io::Result<Self> {
        let server = Self {
            install,
            options,
            port: free_port()?,
            running: Running::new("postgres")?,
        };
        server.install.give(server.running.directory())?;
        server.make_data()?;
        server.launch()?;
        Ok(server)
    }

    fn make_data(&self) -> io::Result<()> {
        let mut initdb = self.install.command("initdb");
        let data = self.data();
        initdb
            .args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"])
            .arg(format!("--username={USER}"))
            .arg("-D")
            .arg(&data)
            .current_dir(self.running.directory());
        answer(initdb)?;
        let Some((certificate, key)) = &self.options.tls else {
            return Ok(());
        };
        for (name, content) in [("server.crt", certificate), ("server.key", key)] {
            use std::os::unix::fs::PermissionsExt;
            let file = data.join(name);
            std::fs::write(&file, content)?;
            // The server refuses a key that others may read.
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
            self.install.give(&file)?;
        }
        Ok(())
    }

    /// The address that it listens on. Restarts keep it.
    pub fn socket(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// How a client connects to its first database: `host=127.0.0.1 port=… user=… dbname=…`.
    pub fn config(&self) -> String {
        self.config_of(USER)
    }

    /// The same for this database.
    pub fn config_of(&self, database: &str) -> String {
        let port = self.port;
        format!("host=127.0.0.1 port={port} user={USER} dbname={database}")
    }

    /// Makes an empty database with this name.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub fn database(&self, name: &str) {
        let made = self.sql(&format!("CREATE DATABASE \"{name}\""));
        made.expect("a database can be made");
    }

    /// Runs statements as a person would with `psql`, and returns its output: a line for each row,
    /// with `|` between columns.
    ///
    /// # Errors
    ///
    /// If one fails. The error has its message.
    pub fn sql(&self, statements: &str) -> io::Result<String> {
        self.sql_in(USER, statements)
    }

    /// The same in this database.
    ///
    /// # Errors
    ///
    /// If one fails. The error has its message.
    pub fn sql_in(&self, database: &str, statements: &str) -> io::Result<String> {
        let mut psql = self.install.command("psql");
        psql.args(["-AtqX", "-v", "ON_ERROR_STOP=1", "-c", statements])
            .arg(self.config_of(database));
        Ok(answer(psql)?.trim_end().to_owned())
    }

    /// Kills the server if it runs, starts it on the same data and port, and waits until it serves.
    ///
    /// # Panics
    ///
    /// If the server does not start.
    #[expect(
        clippy::disallowed_methods,
        reason = "it waits for the end of processes that are not its children"
    )]
    pub fn restart(&self) {
        self.kill();
        let until = Instant::now() + LONGEST_RESTART;
        while let Err(error) = self.launch() {
            assert!(
                Instant::now() < until,
                "PostgreSQL does not start again: {error}"
            );
        }
    }

    fn launch(&self) -> io::Result<()> {
        let mut command = self.install.command("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .args(["-h", "127.0.0.1", "-p"])
            .arg(self.port.to_string())
            .arg("-k")
            .arg(self.running.directory());
        if self.options.tls.is_some() {
            command.args(["-c", "ssl=on"]);
        }
        let defaults = SETTINGS.iter().map(|&setting| setting.to_owned());
        for setting in defaults.chain(self.options.settings.iter().cloned()) {
            command.args(["-c", &setting]);
        }
        self.running.launch(&mut command)?;
        self.running.wait(|| {
            let mut ready = self.install.command("pg_isready");
            ready.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
            answer(ready).is_ok()
        })
    }

    fn data(&self) -> PathBuf {
        self.running.directory().join("data")
    }
}

/// What a command has printed, or as an error what it has complained of.
fn answer(mut command: Command) -> io::Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(io::Error::other(said.trim_end().to_owned()))
        }
    }
}

impl Deref for Postgres {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}
