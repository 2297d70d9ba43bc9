//! moto's server of S3, which others wrote in Python to test against.
//!
//! `.ci/servers` installs it from PyPI. Without it, tests report that they are skipped; with
//! `INCUMBENT_REQUIRE_FOREIGN` set, they fail.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::free_port;
use crate::running::{self, Running};

/// If this is set, to any value, a missing moto fails the test instead of skipping it.
const REQUIRED: &str = "INCUMBENT_REQUIRE_FOREIGN";

/// A path below the target directory, where `.ci/servers` installs it.
const INSTALLED: &str = "foreign/moto-5.2.5";

/// Long enough for a busy machine on which Python compiles what it imports.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// A running server on 127.0.0.1. Dropping it ends it, and all that is stored in it is gone.
///
/// Its methods block. If the process that started the server is killed, the server is killed too.
pub struct Moto {
    port: u16,
    running: Running,
}

impl Moto {
    /// Starts a server and waits until it serves. Returns `None`, with a message, if it is not
    /// installed.
    ///
    /// # Panics
    ///
    /// If the server does not start, or is not installed while `INCUMBENT_REQUIRE_FOREIGN` is set.
    pub fn start() -> Option<Self> {
        let Some(installed) = installed() else {
            running::skip("moto", REQUIRED, "run .ci/servers");
            return None;
        };
        Some(running::start("moto", || {
            Self::try_start(installed.clone())
        }))
    }

    /// A server that all tests of this process share.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Moto>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    fn try_start(installed: PathBuf) -> io::Result<Self> {
        let server = Self {
            port: free_port()?,
            running: Running::new("moto")?,
        };
        let mut command = Command::new("python3");
        command
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p"])
            .arg(server.port.to_string())
            .env("PYTHONPATH", installed);
        server.running.launch(&mut command)?;
        let serves = || server.ask("GET", "/moto-api/").is_ok();
        server.running.wait(serves)?;
        Ok(server)
    }

    /// Its endpoint: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The settings by which a client finds it.
    pub fn settings(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", self.url().as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Makes a bucket.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub fn make_bucket(&self, name: &str) {
        let made = self.ask("PUT", &format!("/{name}"));
        made.expect("a bucket can be made");
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    fn ask(&self, method: &str, path: &str) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.address())?;
        stream.set_read_timeout(Some(LONGEST_ANSWER))?;
        let address = self.address();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request\r\n\
             Content-Length: 0\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.split(' ').nth(1) {
            Some("200") => Ok(()),
            _ => Err(io::Error::other(answer)),
        }
    }
}

/// Where it is installed, below the target directory that this test is in.
fn installed() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap_or_default();
    let places = test.ancestors().map(|above| above.join(INSTALLED));
    places.into_iter().find(|place| place.is_dir())
}
