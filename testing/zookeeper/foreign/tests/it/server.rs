//! The server under test: this project's, unless the environment names another.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::SystemTime;

use tempfile::TempDir;

use crate::needs;
use crate::program::{Group, PATIENCE};

/// Names another server to test, as `host:port`.
const ADDRESS: &str = "INCUMBENT_FOREIGN_ADDRESS";

/// A server, and its end.
pub(crate) struct Server {
    address: String,
    _process: Option<Group>,
    _data: Option<TempDir>,
}

impl Server {
    /// A new server for one test, or the one that the environment names.
    pub(crate) fn start() -> Self {
        match std::env::var(ADDRESS) {
            Ok(address) => Self::at(&address),
            Err(_) => Self::ours(),
        }
    }

    pub(crate) fn at(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            _process: None,
            _data: None,
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn ours() -> Self {
        let data = tempfile::Builder::new()
            .prefix("foreign-")
            .tempdir()
            .unwrap();
        let (output, both) = std::io::pipe().unwrap();
        let mut command = Command::new(binary());
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(["--fade-interval", "500ms"])
            .args(["--min-session-timeout", "500ms"])
            .args(["--max-session-timeout", "60s"])
            .args(["--four-letter-words", "*", "--data-dir"])
            .arg(data.path())
            .stdin(Stdio::null())
            .stdout(both.try_clone().unwrap())
            .stderr(both);
        let process = Group::start(&mut command);
        drop(command); // and with it our end of the pipe

        // Read to the end, so that the server never waits for a reader. A failed test shows it.
        let (found, address) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                println!("server: {line}");
                if let Some(address) = listening(&line) {
                    let _ = found.send(address);
                }
            }
        });
        let address = address.recv_timeout(PATIENCE);
        Self {
            address: address.expect("`incumbent serve` says where it listens"),
            _process: Some(process),
            _data: Some(data),
        }
    }
}

/// The address in the line that the server prints: `zookeeper://127.0.0.1:2181`.
fn listening(line: &str) -> Option<String> {
    line.strip_prefix("zookeeper://").map(str::to_owned)
}

/// The program `incumbent`, built from its present sources: Cargo builds it only for tests of its
/// own crate.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test.ancestors().nth(2);
        let binary = profile
            .expect("a test is TARGET/PROFILE/deps/NAME")
            .join("incumbent");
        if !is_new(&binary) {
            build();
        }
        binary
    })
}

/// Whether none of its sources is newer. Cargo lists them beside it.
fn is_new(binary: &Path) -> bool {
    let changed = |path: &Path| -> Option<SystemTime> { path.metadata().ok()?.modified().ok() };
    let Some(built) = changed(binary) else {
        return false;
    };
    let Ok(list) = std::fs::read_to_string(binary.with_extension("d")) else {
        return false;
    };
    let sources = list.split_once(": ").map_or("", |(_, sources)| sources);
    sources
        .split_whitespace()
        .all(|source| changed(Path::new(source)).is_some_and(|changed| changed <= built))
}

fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--locked", "--quiet", "-p", "incumbent-cli"])
        .arg("--target-dir")
        .arg(needs::target())
        .status();
    assert!(status.unwrap().success(), "the binary is built");
}
