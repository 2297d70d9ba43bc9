//! A small double of the task socket: one rank, and answers that tests steer.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use incumbent_task::Task;
use tempfile::TempDir;

/// A socket with a TaskManager behind it. Its threads end with the process.
pub(crate) struct Fake {
    _dir: TempDir,
    socket: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// What it has heard, and what it is to answer.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) identity: String,
    /// The answer to `ready`; none yet if empty.
    pub(crate) ready: String,
    /// `METHOD PATH` of each request that was answered.
    pub(crate) heard: Vec<String>,
    /// The body that came with the last request to a path.
    pub(crate) bodies: BTreeMap<String, Vec<u8>>,
    /// The first answers to a path: status and further lines of the head, or an end of the
    /// connection.
    pub(crate) first: BTreeMap<String, Vec<First>>,
    /// Whole bodies of what can be got.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Paths whose answers lack their last byte.
    pub(crate) cut: Vec<String>,
    /// All lines of events, and how often their readers were cut off.
    events: Vec<String>,
    /// All queries; a new reader is asked all again.
    queries: Vec<String>,
    cuts: usize,
}

#[derive(Clone)]
pub(crate) enum First {
    Status(u16, &'static str, &'static str),
    End,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self::of("1", 0, 1)
    }

    /// A task of job `11…`.
    pub(crate) fn of(attempt: &str, rank: u32, tasks: u32) -> Self {
        Self::of_job(&"1".repeat(32), attempt, rank, tasks)
    }

    pub(crate) fn of_job(job: &str, attempt: &str, rank: u32, tasks: u32) -> Self {
        let dir = tempfile::Builder::new().prefix("task-").tempdir().unwrap();
        let socket = dir.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let identity = format!(
            r#"{{"job":"{job}","name":"x","attempt":{attempt},"rank":{rank},"tasks":{tasks},"peers":["a:1"],"is_checkpointing":true,"later":true}}"#
        );
        let shared = Arc::new(Shared::default());
        {
            let mut state = shared.state.lock().unwrap();
            state.identity = identity;
            state.ready = r#"{"peers":["a:1","b:2"]}"#.to_owned();
        }
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || serving.serve(stream.unwrap()));
            }
        });
        Self {
            _dir: dir,
            socket,
            shared,
        }
    }

    pub(crate) fn task(&self) -> Task {
        Task::connect(&self.socket).unwrap()
    }

    pub(crate) fn socket(&self) -> &std::path::Path {
        &self.socket
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Waits until something about it is so: what it has heard, most often. Every now and then,
    /// `meanwhile` is called.
    pub(crate) fn wait(&self, is_so: impl Fn(&State) -> bool, mut meanwhile: impl FnMut()) {
        let mut state = self.state();
        while !is_so(&state) {
            drop(state);
            meanwhile();
            let often = std::time::Duration::from_millis(100);
            let waited = self.shared.changed.wait_timeout(self.state(), often);
            state = waited.unwrap().0;
        }
    }

    /// Changes what it answers.
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.shared.changed.notify_all();
    }

    /// Tells the task an event.
    pub(crate) fn tell(&self, line: &str) {
        self.state().events.push(line.to_owned());
        self.shared.changed.notify_all();
    }

    /// Asks the task.
    pub(crate) fn ask(&self, line: &str) {
        self.state().queries.push(line.to_owned());
        self.shared.changed.notify_all();
    }

    /// Breaks the connections of all that read events. A new one is told everything again.
    pub(crate) fn cut_events(&self) {
        self.state().cuts += 1;
        self.shared.changed.notify_all();
    }

    pub(crate) fn file(&self, path: &str, content: &[u8]) {
        self.state().files.insert(path.to_owned(), content.to_vec());
    }

    /// What the first requests to `METHOD PATH` meet.
    pub(crate) fn first(&self, request: &str, meets: &[First]) {
        self.state()
            .first
            .insert(request.to_owned(), meets.to_vec());
    }

    pub(crate) fn body(&self, path: &str) -> Vec<u8> {
        self.state().bodies.get(path).cloned().unwrap_or_default()
    }

    pub(crate) fn heard(&self, request: &str) -> usize {
        self.state()
            .heard
            .iter()
            .filter(|heard| *heard == request)
            .count()
    }
}

impl Shared {
    fn serve(&self, stream: UnixStream) {
        let mut from = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if from.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let request = head.split(" HTTP/").next().unwrap().to_owned();
        let (method, path) = request.split_once(' ').unwrap();
        if let Some(meets) = self.met_first(&request) {
            match meets {
                // Before the body was read.
                First::End => {}
                First::Status(status, lines, body) => {
                    answer(from.get_mut(), status, lines, body.as_bytes(), 0);
                }
            }
            return;
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        if from.read_exact(&mut body).is_err() {
            return;
        }
        let size = body.len();
        let mut state = self.state.lock().unwrap();
        state.heard.push(request.clone());
        state.bodies.insert(path.to_owned(), body);
        self.changed.notify_all();
        let cut = usize::from(state.cut.iter().any(|cut| cut == path));
        let (status, body) = match (method, path) {
            ("GET", "/v1/events") => {
                drop(state);
                return self.serve_lines(from.into_inner(), |state| &state.events);
            }
            ("GET", "/v1/queries") => {
                drop(state);
                return self.serve_lines(from.into_inner(), |state| &state.queries);
            }
            ("GET", "/v1/task") => (200, state.identity.clone().into_bytes()),
            ("POST", "/v1/ready") => {
                while state.ready.is_empty() {
                    state = self.changed.wait(state).unwrap();
                }
                (200, state.ready.clone().into_bytes())
            }
            ("GET", path) => match state.files.get(path) {
                Some(file) => (200, file.clone()),
                None => (
                    404,
                    br#"{"title":"not found","detail":"it is not there"}"#.to_vec(),
                ),
            },
            ("PUT", path) if path.starts_with("/v1/checkpoints/") => (
                201,
                format!(r#"{{"size":{size},"sha256":"00"}}"#).into_bytes(),
            ),
            _ => (200, Vec::new()),
        };
        drop(state);
        answer(from.get_mut(), status, "", &body, cut);
    }

    fn met_first(&self, request: &str) -> Option<First> {
        let mut state = self.state.lock().unwrap();
        let meets = state.first.get_mut(request)?;
        (!meets.is_empty()).then(|| meets.remove(0))
    }

    fn serve_lines(&self, mut to: UnixStream, of: fn(&State) -> &Vec<String>) {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        to.write_all(head.as_bytes()).unwrap();
        let mut told = 0;
        let mut state = self.state.lock().unwrap();
        let cuts = state.cuts;
        while state.cuts == cuts {
            if told == of(&state).len() {
                state = self.changed.wait(state).unwrap();
                continue;
            }
            let line = format!("{}\n", of(&state)[told]);
            told += 1;
            // In two chunks, as it may come.
            let (one, two) = line.split_at(line.len() / 2);
            for part in [one, two].into_iter().filter(|part| !part.is_empty()) {
                if write!(to, "{:x}\r\n{part}\r\n", part.len()).is_err() {
                    return;
                }
            }
        }
    }
}

fn answer(to: &mut UnixStream, status: u16, lines: &str, body: &[u8], cut: usize) {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Any\r\n{lines}content-length: {length}\r\n\r\n");
    let _ = to.write_all(head.as_bytes());
    let _ = to.write_all(&body[..length - cut]);
}
