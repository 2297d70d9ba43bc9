//! What tests with kills need: tasks that note when two attempts are alive at once, and leaders by
//! their process ids.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::running::{Cluster, pid};
use crate::harness::{Node, Place, eventually, kill, runs};

/// The notes of one job's tasks. Each task adds `ATTEMPT RANK PID` as it starts, and then looks
/// whether a process of another attempt still runs.
pub(super) struct Witness {
    starts: String,
    overlaps: String,
}

/// A line of the notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Noted {
    pub(super) attempt: u32,
    pub(super) rank: u32,
    pub(super) pid: i32,
}

impl Witness {
    pub(super) fn new(place: &Place, job: &str) -> Self {
        let path = |what: &str| place.path(&format!("{job}.{what}")).display().to_string();
        Self {
            starts: path("starts"),
            overlaps: path("overlaps"),
        }
    }

    /// A script that makes the notes, and then does this.
    pub(super) fn script(&self, then: &str) -> String {
        let Self { starts, overlaps } = self;
        // Noted before looking: of two that start side by side, one at least sees the other.
        format!(
            "echo \"$INCUMBENT_ATTEMPT $INCUMBENT_RANK $$\" >> {starts}; \
             while read attempt rank pid; do \
             if [ \"$attempt\" != \"$INCUMBENT_ATTEMPT\" ] && kill -0 \"$pid\" 2>/dev/null; then \
             echo \"$attempt/$rank ($pid) beside $INCUMBENT_ATTEMPT/$INCUMBENT_RANK ($$)\" >> {overlaps}; \
             fi; done < {starts}; {then}"
        )
    }

    /// The script of a task that then does nothing.
    pub(super) fn sleeping(&self) -> String {
        self.script("exec sleep 1000")
    }

    /// Every start so far.
    pub(super) fn starts(&self) -> Vec<Noted> {
        let text = std::fs::read_to_string(&self.starts).unwrap_or_default();
        let whole = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let parse = |line: &str| {
            let mut words = line.split_whitespace().map(|word| word.parse().unwrap());
            let mut next = || words.next().unwrap();
            Noted {
                attempt: u32::try_from(next()).unwrap(),
                rank: u32::try_from(next()).unwrap(),
                pid: next(),
            }
        };
        whole.map(parse).collect()
    }

    /// Those that still run.
    pub(super) fn alive(&self) -> Vec<Noted> {
        let starts = self.starts().into_iter();
        starts.filter(|start| runs(start.pid)).collect()
    }

    /// No rank of an attempt was started twice.
    #[track_caller]
    pub(super) fn assert_each_once(&self) {
        let mut starts = self.starts();
        starts.sort();
        let is_twice =
            |two: &&[Noted]| (two[0].attempt, two[0].rank) == (two[1].attempt, two[1].rank);
        let twice: Vec<_> = starts.windows(2).filter(is_twice).collect();
        assert!(twice.is_empty(), "started twice: {twice:?} of {starts:?}");
    }

    /// Two attempts were never alive at once.
    #[track_caller]
    pub(super) fn assert_never_two(&self) {
        self.assert_each_once();
        assert_eq!(self.seen_beside(), "");
    }

    /// What still ran beside a later attempt.
    pub(super) fn seen_beside(&self) -> String {
        std::fs::read_to_string(&self.overlaps).unwrap_or_default()
    }
}

impl Cluster {
    /// The process id of a leader that runs, waiting for one.
    #[track_caller]
    pub(crate) fn leader(&self) -> i32 {
        self.leader_after(0)
    }

    /// The same, of another one than this.
    #[track_caller]
    pub(super) fn leader_after(&self, old: i32) -> i32 {
        eventually("a JobManager leads", || {
            let leader = &self.view()["leader"];
            let leader = leader["pid"].is_number().then(|| pid(leader))?;
            (leader != old && runs(leader)).then_some(leader)
        })
    }

    /// Kills the leader with -9.
    pub(crate) fn kill_leader(&self) {
        kill(self.leader(), Signal::KILL);
    }

    /// Starts one more TaskManager, beside those of `up`, on the file store of this cluster.
    pub(super) fn task_manager(&self, name: &str, flags: &[&str]) -> Node {
        let dir = |name: &str| {
            let path = self.place.path(&format!("cluster/{name}"));
            format!("file://{}", path.display())
        };
        let mut command = self.place.incumbent(&["task-manager", "--name", name]);
        command.args(["--ha", &dir("ha"), "--blobs", &dir("blobs")]);
        command
            .arg("--dir")
            .arg(self.place.path(&format!("{name}-tasks")));
        command.args(flags);
        let node = self.place.start(name, command);
        self.until_live(name);
        node
    }

    /// Waits until the leader says that this node lives.
    #[track_caller]
    pub(super) fn until_live(&self, name: &str) {
        eventually(&format!("{name} is live"), || {
            let nodes = self.nodes();
            let is_live =
                |node: &&serde_json::Value| node["name"] == name && node["state"] == "live";
            nodes.iter().find(is_live).cloned()
        });
    }

    /// Submits a job file.
    pub(super) fn run_file(&self, name: &str, script: &str, settings: &str) -> serde_json::Value {
        let command = serde_json::json!(["sh", "-c", script]);
        let text = format!("name = \"{name}\"\ncommand = {command}\n{settings}\n");
        let file = self.place.path(&format!("{name}.toml"));
        std::fs::write(&file, text).unwrap();
        let file = file.display().to_string();
        self.ask(&["job", "run", &file]).assert_code(0).json()
    }

    /// Starts `incumbent` without waiting for its end.
    pub(super) fn asking(&self, name: &str, args: &[&str]) -> Node {
        let command: Command = self.incumbent(args);
        self.place.start(name, command)
    }
}

/// A moment of a test, for what took how long.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes have no clock that could be paused"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Waits so that the next fault strikes at another step. Nothing relies on its length.
#[expect(
    clippy::disallowed_methods,
    reason = "the moment of a fault is not a condition that could be waited for"
)]
pub(super) fn a_moment(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}
