//! `incumbent top` on a terminal of its own, and without one.

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use super::running::{COUNT, Cluster, pid};
use crate::gateway::front::missing;
use crate::harness::{Place, eventually, finished, kill, runs, until};

/// What a shell does when a command has ended: it tells its exit code and the mode of the terminal.
const TOLD: &str = "echo \"code $?\"\nstty -a | grep -o -e '-*icanon'\n";

/// A terminal in which a shell runs: a tmux of its own.
struct Screen<'a> {
    place: &'a Place,
}

impl<'a> Screen<'a> {
    /// Runs `incumbent top` there, and says its exit code and the mode of the terminal when it has
    /// ended. `None` if there is no tmux.
    fn of_top(place: &'a Place, urls: &[&str]) -> Option<Self> {
        Self::of(
            place,
            &format!("$I top --cluster {}\n{TOLD}", urls.join(",")),
        )
    }

    /// Runs this there. `None` if there is no tmux.
    fn of(place: &'a Place, script: &str) -> Option<Self> {
        if missing("tmux", "-V") {
            return None;
        }
        let script = format!("echo $$ > shell\n{script}exec sleep 1000\n");
        std::fs::write(place.path("top.sh"), script).unwrap();
        let screen = Self { place };
        let mut begin = screen.tmux(&["-f", "/dev/null", "new-session", "-d"]);
        begin.args(["-x", "140", "-y", "40", "sh", "top.sh"]);
        // A colour that nobody has asked to leave out.
        begin.env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8");
        finished(begin).assert_code(0);
        Some(screen)
    }

    fn tmux(&self, args: &[&str]) -> Command {
        let mut tmux = self.place.program("tmux");
        tmux.arg("-S")
            .arg(self.place.path("tmux"))
            .args(["-u"])
            .args(args);
        tmux
    }

    fn text(&self) -> String {
        finished(self.tmux(&["capture-pane", "-p"])).out
    }

    fn press(&self, key: &str) {
        finished(self.tmux(&["send-keys", key])).assert_code(0);
    }

    /// Waits until the screen has all these words.
    #[track_caller]
    fn shows(&self, words: &[&str]) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(&format!("the screen shows {words:?}"), || {
                last = self.text();
                words
                    .iter()
                    .all(|word| last.contains(word))
                    .then(|| last.clone())
            })
        }));
        found.unwrap_or_else(|_| panic!("{words:?} are not all on the screen:\n{last}"))
    }

    /// Ends `top` with this key, and sees that the terminal is as it was.
    fn ends_with(&self, key: &str) {
        self.press(key);
        self.is_given_back();
    }

    fn is_given_back(&self) {
        self.is_given_back_with("code 0");
    }

    fn is_given_back_with(&self, code: &str) {
        let text = self.shows(&[code, "icanon"]);
        assert!(
            !text.contains("-icanon") && !text.contains("leader"),
            "{text}"
        );
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).output();
    }
}

/// The URLs of the JobManagers, the leader's first.
fn job_managers(cluster: &Cluster) -> (Value, Vec<String>) {
    eventually("both JobManagers are known", || {
        let view = cluster.view();
        let leader = view["leader"].clone();
        let nodes = cluster.nodes();
        let others = nodes.iter().filter(|node| {
            node["kind"] == "job-manager" && node["state"] == "live" && node["pid"] != leader["pid"]
        });
        let others: Vec<_> = others.map(url).collect();
        (others.len() == 1).then(|| {
            let all = std::iter::once(url(&leader)).chain(others).collect();
            (leader, all)
        })
    })
}

fn url(node: &Value) -> String {
    format!("http://{}", node["address"].as_str().unwrap())
}

#[test]
fn top_follows_the_cluster_over_the_death_of_the_node_it_asks() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello", "--tasks", "2"], COUNT);
    cluster.running("hello", 1);
    let (leader, urls) = job_managers(&cluster);
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let Some(screen) = Screen::of_top(&cluster.place, &urls) else {
        return;
    };
    let epoch = cluster.view()["epoch"].as_u64().unwrap();
    let name = leader["name"].as_str().unwrap();
    let leads = format!("epoch {epoch},");
    screen.shows(&[
        name,
        &leads,
        "hello",
        "running",
        "2/2",
        "2 TaskManagers",
        urls[0],
    ]);

    kill(pid(&leader), Signal::KILL);
    // The other node is asked, and says who leads now. The tasks did not notice.
    let next = format!("epoch {},", epoch + 1);
    screen.shows(&[&next, urls[1], "running", "2/2"]);

    // A question first, and nothing without a yes.
    screen.press("c");
    screen.shows(&["Cancel hello?", "cannot be resumed"]);
    screen.press("n");
    screen.shows(&["nothing was done"]);
    assert_eq!(cluster.show("hello")["state"], "running");
    screen.press("Enter");
    screen.shows(&["hello runs: attempt 1", "RANK", "PROGRESS"]);
    screen.press("l");
    screen.shows(&[
        "log of hello, all ranks",
        "0 | rank 0 attempt 1 line",
        "1 | rank 1 attempt 1 line",
    ]);
    screen.press("Escape");
    screen.press("c");
    screen.shows(&["Cancel hello?"]);
    screen.press("y");
    screen.shows(&["hello was canceled"]);
    screen.ends_with("q");
}

#[test]
fn top_goes_on_through_nodes_that_nobody_has_named() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello"], COUNT);
    cluster.running("hello", 1);
    let (leader, urls) = job_managers(&cluster);
    let epoch = cluster.view()["epoch"].as_u64().unwrap();
    let Some(screen) = Screen::of_top(&cluster.place, &[&urls[0]]) else {
        return;
    };
    screen.shows(&["hello", "1/1", &format!("{} answers", urls[0])]);
    kill(pid(&leader), Signal::KILL);
    // Nothing listens there any more: who is started in its place has another port.
    screen.shows(&[&format!("epoch {},", epoch + 1), "answers", "1/1"]);
    until("another node answers", || {
        let text = screen.text();
        text.contains("answers") && !text.contains(&urls[0])
    });
    // What is to be done finds them, too.
    screen.press("c");
    screen.shows(&["Cancel hello?"]);
    screen.press("y");
    screen.shows(&["1 canceled"]);
    screen.ends_with("q");
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello"], COUNT);
    cluster.running("hello", 1);
    let script = format!(
        "set -m\n$I top --cluster {}\n{TOLD}read -r line\nfg\n{TOLD}",
        cluster.url
    );
    let Some(screen) = Screen::of(&cluster.place, &script) else {
        return;
    };
    screen.shows(&["leader", "hello", "1/1"]);
    screen.press("C-z");
    // 128, and the number of SIGTSTP.
    screen.is_given_back_with("code 148");
    screen.press("Enter");
    // It is drawn anew, and hears keys.
    screen.shows(&["leader", "hello", "1/1"]);
    screen.press("?");
    screen.shows(&["stop a job with a savepoint"]);
    screen.press("Escape");
    screen.ends_with("q");
}

#[test]
fn top_rescales_stops_and_resumes_a_job() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello"], COUNT);
    cluster.running("hello", 1);
    let Some(screen) = Screen::of_top(&cluster.place, &[&cluster.url]) else {
        return;
    };
    screen.shows(&["hello", "running", "1/1"]);
    screen.press("n");
    screen.shows(&["How many from now on?"]);
    screen.press("3");
    screen.press("Enter");
    screen.shows(&["Rescale hello to 3 tasks?", "It makes no checkpoints"]);
    screen.press("y");
    screen.shows(&["running", "3/3"]);
    screen.press("s");
    screen.shows(&["Stop hello with a savepoint?"]);
    screen.press("y");
    screen.shows(&["1 suspended"]);
    screen.press("u");
    screen.shows(&["Resume hello?"]);
    screen.press("y");
    screen.shows(&["1 running", "3/3"]);
    screen.ends_with("C-c");
}

#[test]
fn top_stays_up_while_nobody_answers_and_gives_the_terminal_back_on_a_signal() {
    let place = Place::new();
    let port = crate::harness::free_port();
    let url = format!("http://127.0.0.1:{port}");
    let Some(screen) = Screen::of_top(&place, &[&url]) else {
        return;
    };
    screen.shows(&["no node answers since", &url, "still asking"]);
    // It is found when it is there.
    let mut command = place.incumbent(&["up", "--listen", &format!("127.0.0.1:{port}")]);
    command
        .arg("--dir")
        .arg(place.path("cluster"))
        .env_remove("INCUMBENT_HA");
    let _up = place.start("up", command);
    screen.shows(&["leader", "There are no jobs", "2 TaskManagers"]);
    let top = child_of(place.noted("shell").parse().unwrap());
    assert!(runs(top));
    kill(top, Signal::TERM);
    screen.is_given_back();
}

/// The process that a shell waits for.
fn child_of(shell: i32) -> i32 {
    eventually("the shell runs top", || {
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
        children.ok()?.split_whitespace().next()?.parse().ok()
    })
}

#[test]
fn top_says_that_nobody_leads() {
    let place = Place::new();
    let blobs = format!("file://{}", place.path("blobs").display());
    let listen = format!("127.0.0.1:{}", crate::harness::free_port());
    let mut command = place.incumbent(&["task-manager", "--blobs", &blobs, "--listen", &listen]);
    command.arg("--dir").arg(place.path("tasks"));
    let _task_manager = place.start("tm", command);
    let Some(screen) = Screen::of_top(&place, &[&format!("http://{listen}")]) else {
        return;
    };
    screen.shows(&["nobody leads since", "tasks go on", &listen]);
    screen.press("?");
    screen.shows(&["stop a job with a savepoint"]);
    screen.press("Escape");
    screen.ends_with("q");
}

#[test]
fn without_a_terminal_top_prints_one_look() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello", "--tasks", "2"], COUNT);
    cluster.running("hello", 1);
    until("the jobs are all known", || {
        cluster.view()["is_complete"] == true
    });
    let lines = cluster.ask(&["top"]).assert_code(0).out;
    for words in [
        "leader     ",
        "2 JobManagers",
        "jobs       1 running",
        "task-manager",
        "hello",
        "RANK",
    ] {
        assert!(lines.contains(words), "{words:?} in\n{lines}");
    }
    assert!(!lines.contains('\u{1b}'));
    let json = cluster
        .ask(&["top", "--format", "json"])
        .assert_code(0)
        .json();
    assert_eq!(json["jobs"][0]["name"], "hello");
    assert_eq!(json["cluster"]["slots"], 4);
    let nobody = cluster
        .ask(&["top", "--cluster", "http://127.0.0.1:9"])
        .assert_code(7);
    assert!(nobody.err.contains("no cluster answers"), "{}", nobody.err);
}
