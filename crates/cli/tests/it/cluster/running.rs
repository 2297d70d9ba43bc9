//! A cluster that runs: `incumbent up` in a directory of its own, and questions to it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Answer, Done, Node, Place, eventually, finished, runs, until};

/// A task that prints a line with a number each 20 ms, from 1.
pub(crate) const COUNT: &str = r#"i=0; while :; do i=$((i + 1)); echo "rank $INCUMBENT_RANK attempt $INCUMBENT_ATTEMPT line $i"; sleep 0.02; done"#;

/// A cluster, and where it runs. Everything ends when it is dropped.
pub(crate) struct Cluster {
    pub(crate) up: Node,
    pub(crate) url: String,
    pub(crate) place: Place,
}

impl Cluster {
    /// With two TaskManagers of two slots.
    pub(crate) fn new() -> Self {
        Self::with(Place::new(), &[])
    }

    /// With flags for `up`. Returns when it answers.
    pub(crate) fn with(place: Place, flags: &[&str]) -> Self {
        Self::with_env(place, flags, Vec::new())
    }

    /// With flags and an environment for `up`. Returns when it answers.
    pub(crate) fn with_env(place: Place, flags: &[&str], env: Vec<(String, String)>) -> Self {
        let _ = std::fs::remove_file(place.path("up.out"));
        let mut command = up(&place, flags);
        command.envs(env);
        let up = place.start("up", command);
        let url = eventually("up says where it answers", || {
            let out = place.note("up.out");
            out.contains("stop ")
                .then(|| out.lines().next().map(str::to_owned))?
        });
        let cluster = Self { up, url, place };
        until("somebody leads and all TaskManagers are there", || {
            let expected = flags
                .iter()
                .position(|flag| *flag == "--task-managers")
                .map_or("2", |at| flags[at + 1]);
            cluster.pids("task-manager").len().to_string() == expected
        });
        cluster
    }

    /// With a token for everybody. Returns when somebody leads.
    pub(crate) fn with_token(place: Place, token: &str) -> Self {
        let up = place.start("up", up(&place, &["--token-file", token]));
        let url = address(&place);
        let cluster = Self { up, url, place };
        until("all nodes are there", || {
            let nodes = cluster.ask(&["node", "ls", "--token-file", token]);
            nodes.code == Some(0) && nodes.out.lines().count() == 4
        });
        cluster
    }

    /// `incumbent` with this cluster as the usual one.
    pub(crate) fn incumbent(&self, args: &[&str]) -> Command {
        let mut command = self.place.incumbent(args);
        command.env("INCUMBENT_CLUSTER", &self.url);
        command
    }

    pub(crate) fn ask(&self, args: &[&str]) -> Done {
        finished(self.incumbent(args))
    }

    /// Submits `sh -c SCRIPT`.
    pub(crate) fn run(&self, flags: &[&str], script: &str) -> Value {
        let all = [&["job", "run"], flags, &["--", "sh", "-c", script]].concat();
        self.ask(&all).assert_code(0).json()
    }

    /// `job show`, as JSON.
    pub(crate) fn show(&self, job: &str) -> Value {
        self.ask(&["job", "show", job]).assert_code(0).json()
    }

    /// Waits until a job looks so.
    #[track_caller]
    pub(crate) fn job(&self, job: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{job} {what}"), || {
            let view = self.show(job);
            is(&view).then_some(view)
        })
    }

    /// Waits until all tasks of this attempt run, and returns the job.
    #[track_caller]
    pub(crate) fn running(&self, job: &str, attempt: u64) -> Value {
        self.job(job, &format!("runs in attempt {attempt}"), |view| {
            view["state"] == "running"
                && view["attempt"] == attempt
                && tasks(view).iter().all(|task| task["state"] == "running")
        })
    }

    /// `GET /v1/cluster`; `null` while nobody answers.
    pub(crate) fn view(&self) -> Value {
        get(&self.url, "/v1/cluster").unwrap_or_default()
    }

    pub(crate) fn nodes(&self) -> Vec<Value> {
        self.view()["nodes"].as_array().cloned().unwrap_or_default()
    }

    /// The process ids of the nodes of a kind that are not known to be dead.
    pub(crate) fn pids(&self, kind: &str) -> Vec<i32> {
        let nodes = self.nodes();
        let of_kind = nodes
            .iter()
            .filter(|node| node["kind"] == kind && node["state"] != "dead");
        of_kind.map(pid).collect()
    }

    /// The process id of the TaskManager that has this task.
    pub(crate) fn node_of(&self, task: &Value) -> i32 {
        let nodes = self.nodes();
        let found = nodes.iter().find(|node| node["name"] == task["node"]);
        pid(found.unwrap_or_else(|| panic!("no node of {task} in {nodes:?}")))
    }

    /// Starts `job logs --follow` into `NAME.out`.
    pub(crate) fn follow(&self, name: &str, flags: &[&str]) -> Node {
        let all = [&["job", "logs", "--follow"], flags].concat();
        self.place.start(name, self.incumbent(&all))
    }
}

/// Where `up` answers.
fn address(place: &Place) -> String {
    eventually("up says where it answers", || {
        let out = place.note("up.out");
        out.contains("stop ")
            .then(|| out.lines().next().map(str::to_owned))?
    })
}

/// `incumbent up` on a free port, with its directory in this place.
pub(crate) fn up(place: &Place, flags: &[&str]) -> Command {
    let dir = place.path("cluster");
    let mut command = place.incumbent(&["up", "--listen", "127.0.0.1:0"]);
    command.arg("--dir").arg(dir).args(flags);
    command.env_remove("INCUMBENT_HA");
    command
}

pub(crate) fn tasks(job: &Value) -> &[Value] {
    job["tasks"].as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn pid(of: &Value) -> i32 {
    let pid = of["pid"]
        .as_i64()
        .unwrap_or_else(|| panic!("no pid in {of}"));
    i32::try_from(pid).unwrap()
}

/// The process ids of a job's tasks, by rank.
pub(crate) fn task_pids(job: &Value) -> Vec<i32> {
    tasks(job).iter().map(pid).collect()
}

/// Waits until none of these processes runs.
#[track_caller]
pub(crate) fn gone(what: &str, pids: &[i32]) {
    until(what, || !pids.iter().any(|pid| runs(*pid)));
}

/// An answer of JSON, if there is one.
pub(crate) fn get(url: &str, path: &str) -> Option<Value> {
    let address = url.strip_prefix("http://")?;
    let host = format!("host: {address}");
    let answer = raw(address, "GET", path, &[&host], "")?;
    serde_json::from_str(&answer.body).ok()
}

/// A request with these header lines and no others that matter.
pub(crate) fn raw(
    address: &str,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\n{headers}connection: close\r\n");
    write!(
        stream,
        "{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    let is_chunked = head.contains("transfer-encoding: chunked");
    Some(Answer {
        status: head.split(' ').nth(1)?.parse().ok()?,
        body: if is_chunked {
            unchunked(body)?
        } else {
            body.to_owned()
        },
        head,
    })
}

fn unchunked(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (length, rest) = body.split_once("\r\n")?;
        let length = usize::from_str_radix(length.trim(), 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.push_str(rest.get(..length)?);
        body = rest.get(length + 2..)?;
    }
}

/// Ends a child as Ctrl-C does, and waits for its code.
pub(crate) fn interrupted(node: &mut Node) -> Option<i32> {
    node.signal(Signal::INT);
    node.code()
}

/// Waits for a child of our own.
pub(crate) fn code_of(child: &mut Child) -> Option<i32> {
    eventually("the child has ended", || child.try_wait().unwrap()).code()
}

/// The numbers of the lines of one rank and attempt in a note, in the order in which they came.
pub(crate) fn lines(cluster: &Cluster, note: &str, rank: u32, attempt: u32) -> Vec<u64> {
    let start = format!("rank {rank} attempt {attempt} line ");
    let text = std::fs::read_to_string(cluster.place.path(note)).unwrap_or_default();
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let numbers = whole.filter_map(|line| line.trim_end().strip_prefix(&start));
    numbers.map(|number| number.parse().unwrap()).collect()
}

#[track_caller]
pub(crate) fn assert_gapless(numbers: &[u64]) {
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
}
