//! A gang of jobs' processes, each with a double of its task socket.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::fake::{Fake, State};
use crate::job::process;

pub(crate) const JOB: &str = "11111111111111111111111111111111";

/// The ranks of an attempt.
pub(crate) struct Gang {
    pub(crate) members: Vec<(Fake, Child)>,
}

/// What a checkpoint has: the files of each rank.
pub(crate) type Files = Vec<BTreeMap<String, Vec<u8>>>;

impl Gang {
    /// Starts an attempt of this many tasks, from this checkpoint.
    pub(crate) fn start(dir: &Path, attempt: u64, tasks: u32, from: Option<(u64, &Files)>) -> Self {
        Self::with_fault(dir, attempt, tasks, from, &|_| "")
    }

    pub(crate) fn with_fault(
        dir: &Path,
        attempt: u64,
        tasks: u32,
        from: Option<(u64, &Files)>,
        fault: &dyn Fn(u32) -> &'static str,
    ) -> Self {
        let ports: Vec<_> = (0..tasks).map(|_| port()).collect();
        let peers: Vec<_> = ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        let members = (0..tasks).map(|rank| {
            let fake = Fake::of_job(JOB, &attempt.to_string(), rank, tasks);
            fake.change(|state| state.ready.clear());
            if let Some((number, files)) = from {
                restore(&fake, number, files);
            }
            let mut command = process(dir, fault(rank));
            command
                .env("INCUMBENT_TASK_SOCKET", fake.socket())
                .env("INCUMBENT_PORT", ports[rank as usize].to_string());
            let child = command.spawn().unwrap();
            (fake, child)
        });
        let mut gang = Self {
            members: members.collect(),
        };
        // All listen when the first one learns where.
        gang.wait_for("POST /v1/ready");
        for (fake, _) in &gang.members {
            fake.change(|state| state.ready = json!({ "peers": peers }).to_string());
        }
        gang
    }

    /// Waits until all have sent this request.
    fn wait_for(&mut self, request: &str) {
        for (rank, (fake, child)) in self.members.iter_mut().enumerate() {
            fake.wait(
                |state| state.heard.iter().any(|heard| heard == request),
                || {
                    if child.try_wait().unwrap().is_some() {
                        let mut said = String::new();
                        child
                            .stderr
                            .take()
                            .unwrap()
                            .read_to_string(&mut said)
                            .unwrap();
                        panic!("rank {rank} ended before {request}: {said}");
                    }
                },
            );
        }
    }

    /// Asks all for a checkpoint, and waits until they have acknowledged it.
    pub(crate) fn checkpoint(&mut self, number: u64) -> Files {
        self.tell(&json!({ "event": "checkpoint", "number": number }));
        self.wait_for(&format!("POST /v1/checkpoints/{number}/ack"));
        self.files(&format!("/v1/checkpoints/{number}/"))
    }

    /// Waits until all have stored their last files.
    pub(crate) fn finish(&mut self) -> Files {
        self.wait_for("POST /v1/finish");
        self.files("/v1/checkpoints/final/")
    }

    fn files(&self, prefix: &str) -> Files {
        let of = |state: &State| {
            let files = state.bodies.iter().filter_map(|(path, bytes)| {
                let name = path.strip_prefix(prefix).filter(|name| *name != "ack")?;
                Some((name.to_owned(), bytes.clone()))
            });
            files.collect()
        };
        self.members
            .iter()
            .map(|(fake, _)| of(&fake.state()))
            .collect()
    }

    pub(crate) fn commit(&self, number: u64) {
        self.tell(&json!({ "event": "committed", "number": number }));
    }

    pub(crate) fn stop(&self) {
        self.tell(&json!({ "event": "stop" }));
    }

    pub(crate) fn tell(&self, event: &Value) {
        for (fake, _) in &self.members {
            fake.tell(&event.to_string());
        }
    }

    /// Waits for the ends of all, and tells them with what they said.
    pub(crate) fn ended(self) -> Vec<(Option<i32>, String)> {
        let each = self.members.into_iter();
        each.map(|(_fake, child)| crate::job::ended(child))
            .collect()
    }

    /// Ends all with SIGKILL.
    pub(crate) fn kill(self) {
        for (_, mut child) in self.members {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// A port that is free, and that nobody is given who does not ask for it: it is below those that
/// the system gives away.
fn port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (std::process::id() * 97 + next) % 12_000;
        let port = u16::try_from(port).unwrap();
        if TcpListener::bind(("::", port)).is_ok() {
            return port;
        }
    }
}

fn restore(fake: &Fake, number: u64, files: &Files) {
    let ranks = files.iter().enumerate().map(|(rank, files)| {
        let files = files
            .iter()
            .map(|(name, bytes)| json!({ "name": name, "size": bytes.len() }));
        json!({ "rank": rank, "files": files.collect::<Vec<_>>() })
    });
    let told =
        json!({ "number": number, "tasks": files.len(), "ranks": ranks.collect::<Vec<_>>() });
    fake.file("/v1/restore", told.to_string().as_bytes());
    for (rank, files) in files.iter().enumerate() {
        for (name, bytes) in files {
            fake.file(&format!("/v1/restore/{rank}/{name}"), bytes);
        }
    }
}
