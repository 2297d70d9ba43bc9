//! Starts processes in a directory of their own, observes them, and ends them all.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Far longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that notes its start, and whether the command before it still runs.
///
/// Each start adds a line `EPOCH HOLDER PID` to `starts`.
pub(crate) const NOTE: &str = r#"
    old=$(cat current 2>/dev/null)
    if [ -n "$old" ] && kill -0 "$old" 2>/dev/null; then echo "$old still runs beside $$" >> overlaps; fi
    echo $$ > current
    echo "$INCUMBENT_EPOCH $INCUMBENT_HOLDER $$" >> starts
"#;

/// A directory with a store, a home and notes, in which processes run. All of them end when it is
/// dropped.
pub(crate) struct Place {
    dir: TempDir,
}

/// A process of `incumbent run`.
pub(crate) struct Node {
    pub(crate) name: String,
    log: PathBuf,
    child: Child,
}

/// How a process ended, and what it printed.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// One line of `starts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) epoch: u64,
    pub(crate) holder: String,
    pub(crate) pid: i32,
}

/// The answer of an HTTP server.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        // The path is short, since the path of a socket must be.
        let dir = tempfile::Builder::new().prefix("e2e-").tempdir().unwrap();
        for name in ["home", "tmp"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn address(&self) -> String {
        format!("file://{}", self.path("ha").display())
    }

    /// A program that runs here, without any of the user's own settings.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if ["INCUMBENT", "XDG_", "RUST_"]
                .iter()
                .any(|prefix| name_text.starts_with(prefix))
            {
                command.env_remove(&name);
            }
        }
        command
            .current_dir(self.dir.path())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("INCUMBENT_HA", self.address())
            .env("I", env!("CARGO_BIN_EXE_incumbent"))
            .env(MARK, self.dir.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn incumbent(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_incumbent"));
        command.args(args);
        command
    }

    /// Runs `incumbent` to its end.
    pub(crate) fn ask(&self, args: &[&str]) -> Done {
        finished(self.incumbent(args))
    }

    /// The same for what only reads, and again while the store gives no answer in the time of its
    /// clients: a disk that many tests write to can be busy for longer.
    #[track_caller]
    pub(crate) fn read(&self, args: &[&str]) -> Done {
        eventually(&format!("the store answers {args:?}"), || {
            let done = self.ask(args);
            let is_busy = (done.err).contains("the store is not available: no answer within");
            (!is_busy).then_some(done)
        })
    }

    /// `incumbent status`, as JSON; `null` as long as there is no store.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        let done = self.read(&["status"]);
        match done.code == Some(2) && done.err.contains("there is no store") {
            true => Value::Null,
            false => done.json(),
        }
    }

    /// Makes the store, as the first `incumbent run` does.
    pub(crate) fn with_store(self) -> Self {
        self.ask(&["observe", "--lines", "1"]).assert_code(0);
        self
    }

    /// Starts `incumbent run` as `name` on a shell script, with `$I` as the program's path.
    pub(crate) fn node(&self, name: &str, flags: &[&str], script: &str) -> Node {
        let mut command = self.incumbent(&["run", "--holder", name]);
        command.args(flags).args(["--", "sh", "-c", script]);
        self.start(name, command)
    }

    /// Starts a process whose stdout and stderr go into `NAME.out` and `NAME.log`.
    pub(crate) fn start(&self, name: &str, mut command: Command) -> Node {
        command.stderr(self.appended(&format!("{name}.log")));
        self.start_with_stderr(name, command)
    }

    /// Starts a process whose stdout goes into `NAME.out`. Its stderr is left as set.
    pub(crate) fn start_with_stderr(&self, name: &str, mut command: Command) -> Node {
        command.stdout(self.appended(&format!("{name}.out")));
        self.start_as_it_is(name, command)
    }

    /// Starts a process whose stdout and stderr are left as set.
    pub(crate) fn start_as_it_is(&self, name: &str, mut command: Command) -> Node {
        Node {
            name: name.to_owned(),
            child: command.process_group(0).spawn().unwrap(),
            log: self.path(&format!("{name}.log")),
        }
    }

    fn appended(&self, name: &str) -> fs::File {
        let options = fs::OpenOptions::new().create(true).append(true).clone();
        options.open(self.path(name)).unwrap()
    }

    /// The present content of a note, empty if there is none.
    pub(crate) fn note(&self, name: &str) -> String {
        fs::read_to_string(self.path(name))
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    /// Waits for a note with at least one whole line.
    pub(crate) fn noted(&self, name: &str) -> String {
        let whole = || {
            fs::read_to_string(self.path(name))
                .ok()
                .filter(|text| text.ends_with('\n'))
        };
        eventually(&format!("{name} is noted"), whole)
            .trim()
            .to_owned()
    }

    /// The commands that [`NOTE`] has noted so far.
    pub(crate) fn starts(&self) -> Vec<Start> {
        let text = fs::read_to_string(self.path("starts")).unwrap_or_default();
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let parse = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            Start {
                epoch: words[0].parse().unwrap(),
                holder: words[1].to_owned(),
                pid: words[2].parse().unwrap(),
            }
        };
        lines.map(parse).collect()
    }

    /// Waits until this many commands have been noted, and returns the last of them.
    pub(crate) fn started(&self, count: usize) -> Start {
        eventually(&format!("{count} commands have started"), || {
            let starts = self.starts();
            (starts.len() >= count).then(|| starts.last().cloned())?
        })
    }

    /// Waits until this holder is active.
    pub(crate) fn active(&self, holder: &str) -> Value {
        eventually(&format!("{holder} is active"), || {
            let status = self.status();
            (status["state"] == "active" && status["holder"] == holder).then_some(status)
        })
    }

    /// The processes that run here.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let mark = format!("{MARK}={}", self.dir.path().display());
        let here = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment
                .split(|&byte| byte == 0)
                .any(|entry| entry == mark.as_bytes())
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(here).collect()
    }

    /// Asserts the rule for all [`NOTE`]s: one at a time, each with its own epoch, higher than
    /// those before.
    pub(crate) fn assert_one_at_a_time(&self) {
        assert_eq!(self.note("overlaps"), "");
        let starts = self.starts();
        assert!(
            starts.windows(2).all(|two| two[0].epoch < two[1].epoch),
            "{starts:?}"
        );
    }
}

/// Marks every process that a place starts, directly or not.
const MARK: &str = "E2E_PLACE";

impl Drop for Place {
    fn drop(&mut self) {
        // Stopped processes are killed, too. A killed process may have started another one just
        // before.
        for _ in 0..1000 {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            left.into_iter().for_each(|pid| kill(pid, Signal::KILL));
            pause();
        }
        eprintln!("some processes in {:?} could not be ended", self.dir.path());
    }
}

impl Node {
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until the process has ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        eventually(&format!("{} has ended", self.name), || {
            self.child.try_wait().unwrap()
        })
    }

    pub(crate) fn code(&mut self) -> Option<i32> {
        self.ended().code()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the log has a line with these words, and returns it.
    pub(crate) fn logged(&self, words: &str) -> String {
        eventually(&format!("{} logs {words:?}", self.name), || {
            let log = self.log();
            let mut lines = log.lines();
            lines.find(|line| line.contains(words)).map(str::to_owned)
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of {}:\n{}", self.name, self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Done {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{:?} {:?}", self.out, self.err))
    }

    #[track_caller]
    pub(crate) fn assert_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{:?} {:?}", self.out, self.err);
        self
    }
}

/// Runs a process to its end.
#[track_caller]
pub(crate) fn finished(mut command: Command) -> Done {
    command.stdout(Stdio::piped());
    finished_with_stdout(command)
}

/// Runs a process to its end, with the standard output that was set.
#[track_caller]
pub(crate) fn finished_with_stdout(mut command: Command) -> Done {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let out = child.stdout.take().map(collected);
    let err = collected(child.stderr.take().unwrap());
    let status = eventually(&format!("{command:?} has ended"), || {
        child.try_wait().unwrap()
    });
    Done {
        code: status.code(),
        out: out.map_or_else(String::new, |out| out.join().unwrap()),
        err: err.join().unwrap(),
    }
}

fn collected(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

/// Sends a signal. Does nothing if the process is gone.
pub(crate) fn kill(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// Whether the process still runs. A process that waits to be reaped does not.
pub(crate) fn runs(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| !["Z", "X"].contains(&fields[0].as_str()))
}

/// Stops a process, and returns when it has stopped.
pub(crate) fn stop(pid: i32) {
    kill(pid, Signal::STOP);
    until(&format!("{pid} is stopped"), || {
        stat(pid).is_none_or(|fields| fields[0] == "T")
    });
}

/// The parent of a process: of a command, its guard.
pub(crate) fn parent(pid: i32) -> i32 {
    stat(pid).expect("it runs")[1].parse().unwrap()
}

/// The fields of `/proc/PID/stat`, beginning with the state.
fn stat(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// A port on loopback where no process listens, and which the system does not give to other tests
/// that listen on port 0.
pub(crate) fn free_port() -> u16 {
    incumbent_servers::free_port().unwrap()
}

/// Sends a request over a Unix socket, on its own connection. `headers` are whole lines.
pub(crate) fn over_unix(
    socket: &str,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> std::io::Result<Answer> {
    exchange(UnixStream::connect(socket)?, method, path, headers, body)
}

/// The same to `host:port`.
pub(crate) fn over_tcp(
    address: &str,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> std::io::Result<Answer> {
    exchange(TcpStream::connect(address)?, method, path, headers, body)
}

fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> std::io::Result<Answer> {
    let names_host = headers.iter().any(|line| line.starts_with("host:"));
    let host = if names_host { "" } else { "host: any\r\n" };
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\n{host}connection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok(Answer {
        status: status.ok_or_else(broken)?,
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    })
}

fn broken() -> std::io::Error {
    std::io::ErrorKind::UnexpectedEof.into()
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} {:?}", self.head, self.body))
    }
}

/// Polls until there is a result.
#[track_caller]
#[expect(
    clippy::disallowed_methods,
    reason = "other processes have no clock that could be paused"
)]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        pause();
    }
}

/// Polls until a condition holds.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    eventually(what, || condition().then_some(()));
}

/// Measures how long the work takes.
#[expect(clippy::disallowed_methods, reason = "it is real time that is claimed")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}

#[expect(clippy::disallowed_methods, reason = "between two looks")]
fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}
