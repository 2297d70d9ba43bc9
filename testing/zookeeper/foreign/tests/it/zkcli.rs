//! `zkCli.sh`, ZooKeeper's command line.
//!
//! A session is a file: `## ` begins a claim, `> ` a command, and the lines below it are the
//! expected output. In a line, `*` is any text; a line `...` is any number of lines. `! ` is an
//! event of a watch that has come, or comes later (`None` is one about the connection). `$base` is
//! a node of the session, `$address` the server.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::needs;
use crate::program::{Group, PATIENCE};
use crate::server::Server;

pub(crate) const SESSIONS: [&str; 4] = ["nodes", "access", "watches", "server"];

/// The output of a command of the same name, which does nothing and needs no server: everything
/// before it is complete.
const MARK: &str = "printwatches is on";

/// Lines that the program prints about itself.
const NOISE: [&str; 5] = [
    "SLF4J:",
    "Connecting to ",
    "Welcome to ZooKeeper!",
    "JLine support is disabled",
    "WATCHER::",
];

/// The beginning of a line with an event.
const EVENT: &str = "WatchedEvent state:";

/// Types the session `zkcli/NAME.txt`, and compares the output.
pub(crate) fn run(server: &Server, name: &str) {
    if needs::zk_cli().is_none() {
        return;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("zkcli/{name}.txt"));
    let base = format!("/zkcli-{name}-{}", std::process::id());
    let text = std::fs::read_to_string(file).unwrap();
    let text = text.replace("$base", &base);
    let text = text.replace("$address", server.address());
    let mut terminal = Terminal::open(server);
    let mut failures = 0;
    for claim in format!("\n{text}").split("\n## ").skip(1) {
        let (title, steps) = claim.split_once('\n').expect("a claim has steps");
        let steps = format!("\n{steps}");
        let mut steps = steps.split("\n> ").skip(1);
        let verdict = steps.try_for_each(|step| terminal.check(step));
        match verdict {
            Ok(()) => println!("ok   {title}"),
            Err(why) => {
                println!("FAIL {title}\n{why}");
                failures += 1;
            }
        }
    }
    assert_eq!(failures, 0, "not all of zkCli.sh's {name} is as claimed");
}

/// The program, to type to and to read from.
struct Terminal {
    process: Group,
    lines: Receiver<String>,
    /// Events that no step has waited for yet.
    events: Vec<String>,
}

impl Terminal {
    fn open(server: &Server) -> Self {
        let (output, both) = std::io::pipe().unwrap();
        let mut command = Command::new(needs::ZK_CLI);
        command
            .args(["-server", server.address()])
            .env("CLIENT_JVMFLAGS", needs::JVM_FLAGS.join(" "))
            .stdin(Stdio::piped())
            .stdout(both.try_clone().unwrap())
            .stderr(both);
        let process = Group::start(&mut command);
        let (line, lines) = mpsc::channel();
        thread::spawn(move || {
            for read in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = line.send(read);
            }
        });
        let mut terminal = Self {
            process,
            lines,
            events: Vec::new(),
        };
        terminal.happened("None").expect("it connects");
        terminal
    }

    /// Types the first line of a step, and compares the others.
    fn check(&mut self, step: &str) -> Result<(), String> {
        let (command, expected) = step.split_once('\n').unwrap_or((step, ""));
        let expected = expected.lines().filter(|line| !line.trim().is_empty());
        let (events, expected): (Vec<_>, Vec<_>) =
            expected.partition(|line| line.starts_with("! "));
        let printed = self.typed(command)?;
        let as_lines: Vec<_> = printed.iter().map(String::as_str).collect();
        if !is_like(&as_lines, &expected) {
            let (expected, printed) = (expected.join("\n"), printed.join("\n"));
            return Err(format!(
                "> {command}\nexpected:\n{expected}\nprinted:\n{printed}"
            ));
        }
        let mut events = events.iter().map(|line| &line[2..]);
        events.try_for_each(|event| self.happened(event))
    }

    /// The output of a command.
    fn typed(&mut self, command: &str) -> Result<Vec<String>, String> {
        let stdin = self.process.0.stdin.as_mut().expect("it was asked for");
        writeln!(stdin, "{command}\nprintwatches").map_err(|error| error.to_string())?;
        let mut printed = Vec::new();
        loop {
            let line = self.next_line(command)?;
            if line == MARK {
                return Ok(printed);
            }
            printed.extend(self.sorted(line));
        }
    }

    /// Waits for an event, the next in order.
    fn happened(&mut self, event: &str) -> Result<(), String> {
        while self.events.is_empty() {
            let line = self.next_line(event)?;
            // After `close`, the program prints this too for the command of the mark, and the event
            // may come after it.
            let printed = self.sorted(line).filter(|line| line != "Not connected");
            if let Some(printed) = printed {
                return Err(format!("instead of {event} is printed: {printed}"));
            }
        }
        let next = self.events.remove(0);
        if next.contains(&format!("type:{event}")) {
            Ok(())
        } else {
            Err(format!("instead of {event} has come: {next}"))
        }
    }

    /// Keeps an event, drops noise, and returns everything else.
    fn sorted(&mut self, line: String) -> Option<String> {
        if line.starts_with(EVENT) {
            self.events.push(line);
            return None;
        }
        let is_noise = line.trim().is_empty() || NOISE.iter().any(|noise| line.starts_with(noise));
        (!is_noise).then_some(line)
    }

    fn next_line(&self, after: &str) -> Result<String, String> {
        let line = self.lines.recv_timeout(PATIENCE / 4);
        line.map_err(|_| format!("nothing more is printed for {after}"))
    }
}

/// Whether lines match a pattern.
fn is_like(lines: &[&str], pattern: &[&str]) -> bool {
    match (lines, pattern) {
        ([], []) => true,
        (_, ["...", rest @ ..]) => {
            is_like(lines, rest) || matches!(lines, [_, lines @ ..] if is_like(lines, pattern))
        }
        ([line, lines @ ..], [first, rest @ ..]) => {
            line_is_like(line, first) && is_like(lines, rest)
        }
        _ => false,
    }
}

fn line_is_like(line: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => line == pattern,
        Some((before, after)) => line
            .strip_prefix(before)
            .is_some_and(|rest| rest.ends_with(after)),
    }
}

#[test]
fn zkcli_creates_reads_and_deletes_nodes() {
    run(&Server::start(), "nodes");
}

#[test]
fn zkcli_is_given_and_refused_access() {
    run(&Server::start(), "access");
}

#[test]
fn zkcli_watches() {
    run(&Server::start(), "watches");
}

#[test]
fn zkcli_asks_the_server_about_itself() {
    run(&Server::start(), "server");
}
