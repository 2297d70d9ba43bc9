//! Processes under a guard, and helpers that wait.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use incumbent_guard::{Deadlines, Guarded, Spec};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Far longer than anything here takes, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_guard-probe");

/// A command with a child in its group, a child in its own session, and an orphan in another one.
/// Each one notes its id.
pub(crate) const FAMILY: &str = "trap '' TERM HUP INT
    echo $$ > \"$0/leader\"
    sleep 1000 & echo $! > \"$0/member\"
    setsid sh -c 'echo $$ > \"$0/session\"; while :; do sleep 1000; done' \"$0\" &
    (setsid sh -c 'sh -c \"echo \\$\\$ > $0/daemon; while :; do sleep 1000; done\" & exit' \"$0\" &)
    until [ -s \"$0/session\" ] && [ -s \"$0/daemon\" ]; do sleep 0.01; done
    ";

pub(crate) const FAMILY_NAMES: [&str; 4] = ["leader", "member", "session", "daemon"];

/// A directory in which the processes of a test write their ids.
pub(crate) struct Notes(TempDir);

impl Notes {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    /// Waits until the file has a whole line or a published value, and returns its content.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path().join(name);
        let content = || fs::read_to_string(&path).unwrap_or_default();
        eventually(&format!("{name} is written"), || {
            !content().trim().is_empty()
        });
        content().trim().to_owned()
    }

    pub(crate) fn pid(&self, name: &str) -> i32 {
        self.read(name).parse().unwrap()
    }

    /// The ids in a file, separated by spaces.
    pub(crate) fn pids(&self, name: &str) -> Vec<i32> {
        let all = self.read(name);
        all.split(' ').map(|pid| pid.parse().unwrap()).collect()
    }

    /// Whether the file is there. It is not from now on.
    pub(crate) fn take(&self, name: &str) -> bool {
        fs::remove_file(self.path().join(name)).is_ok()
    }

    /// The processes of [`FAMILY`] that still run, by name. Their notes are gone from now on.
    pub(crate) fn take_family_that_runs(&self) -> Vec<&'static str> {
        let is_alive = |&name: &&str| {
            let pid = self.pid(name);
            assert!(self.take(name));
            runs(pid)
        };
        FAMILY_NAMES.into_iter().filter(is_alive).collect()
    }

    /// A shell that runs `script`, in which `$0` is this directory.
    pub(crate) fn shell(&self, script: &str) -> Spec {
        self.with_script(Spec::new("sh", Deadlines::NEVER), script)
    }

    /// The same, apart from this process.
    pub(crate) fn apart(&self, script: &str) -> Spec {
        self.with_script(Spec::apart("sh"), script)
    }

    fn with_script(&self, mut spec: Spec, script: &str) -> Spec {
        spec.executable = PathBuf::from(PROBE);
        spec.args = vec!["-c".into(), script.into(), self.path().into()];
        spec
    }

    /// A runner in its own process that runs `script`, in which `$0` is this directory.
    pub(crate) fn runner(&self, options: &[&str], script: &str) -> Command {
        let mut command = self.runner_of(options, "sh");
        command.args(["-c", script]).arg(self.path());
        command
    }

    pub(crate) fn runner_of(&self, options: &[&str], program: &str) -> Command {
        let mut command = Command::new(PROBE);
        command.arg(self.path()).args(options).args(["--", program]);
        command
    }
}

/// Ends the runner if a test fails before it does so itself.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ended {
    pub(crate) fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }
}

/// A command that does nothing, apart from this process.
pub(crate) fn sleep() -> Spec {
    let mut spec = Spec::apart("sleep");
    spec.executable = PathBuf::from(PROBE);
    spec.args = vec!["1000".into()];
    spec
}

pub(crate) async fn start(spec: Spec) -> Guarded {
    Guarded::spawn(spec).await.expect("the command starts")
}

pub(crate) fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// The guard, as the command's parent.
pub(crate) fn guard_of(command: u32) -> i32 {
    stat(command.cast_signed()).unwrap()[1].parse().unwrap()
}

/// Whether the process still runs. A process that waits to be reaped does not.
pub(crate) fn runs(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| !["Z", "X"].contains(&fields[0].as_str()))
}

/// Whether there is a process of this id, even if it only waits to be reaped.
pub(crate) fn exists(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

pub(crate) fn is_stopped(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| fields[0] == "T")
}

/// Whether the process sleeps.
pub(crate) fn waits(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| fields[0] == "S")
}

/// Whether nothing listens at the address any more.
pub(crate) fn refused(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_millis(20))
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// The fields of `/proc/PID/stat`, beginning with the state.
fn stat(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// Polls until `condition` holds.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes have no clock that could be paused"
)]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}
