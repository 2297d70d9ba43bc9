//! Nodes, a gateway in front of them, and `curl`.

use std::process::Command;

use crate::harness::{Done, Node, Place, eventually, finished, free_port, until};

use super::backend::ARGS;
use super::networks::Host;

/// The command of a node. It replaces its shell, so that signals reach the backend itself.
pub(super) const SCRIPT: &str =
    "echo $INCUMBENT_EPOCH $INCUMBENT_HOLDER $$ >> starts; exec $BACKEND";

/// The same without a note of its start.
pub(super) const QUIET_SCRIPT: &str = "exec $BACKEND";

/// A gateway that runs.
pub(super) struct Front {
    pub(super) node: Node,
    /// Where it listens, as `host:port`.
    pub(super) address: String,
}

/// What `curl` reports about one request.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: String,
    pub(super) head: String,
    pub(super) body: String,
}

/// The command line of a backend.
pub(super) fn backend() -> String {
    format!("{} {ARGS}", std::env::current_exe().unwrap().display())
}

/// `incumbent run` on a backend that listens at this address and publishes it.
pub(super) fn node_at(
    place: &Place,
    name: &str,
    listen: &str,
    publish: &str,
    flags: &[&str],
) -> Command {
    let mut command = place.incumbent(&["run", "--holder", name, "--publish", publish]);
    command.args(flags).args(["--", "sh", "-c", SCRIPT]);
    command
        .env("BACKEND", backend())
        .env("BACKEND_LISTEN", format!("http {listen}"));
    command
}

/// The same on loopback, as `web`.
pub(crate) fn node(place: &Place, name: &str, flags: &[&str]) -> Node {
    let address = format!("127.0.0.1:{}", free_port());
    let command = node_at(place, name, &address, &format!("web={address}"), flags);
    place.start(name, command)
}

/// A gateway on loopback.
pub(super) fn gateway(place: &Place, flags: &[&str]) -> Front {
    let mut command = place.incumbent(&["gateway", "--listen", "127.0.0.1:0"]);
    command.args(flags);
    front(place, "gateway", command)
}

/// Starts a gateway, and waits until it prints its address.
pub(super) fn front(place: &Place, name: &str, command: Command) -> Front {
    front_of(place, name, command, 1)
}

/// The same for this number of addresses. Returns the last one.
pub(super) fn front_of(place: &Place, name: &str, command: Command, addresses: usize) -> Front {
    let node = place.start(name, command);
    let said = eventually(&format!("{name} says where it listens"), || {
        let said = place.noted(&format!("{name}.out"));
        (said.lines().count() >= addresses).then_some(said)
    });
    let last = said.lines().last().unwrap();
    let (_, address) = last.split_once("://").unwrap();
    Front {
        node,
        address: address.to_owned(),
    }
}

impl Front {
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a request with `curl`, and returns any answer.
    #[track_caller]
    pub(super) fn get(&self, place: &Place, path: &str, flags: &[&str]) -> Got {
        let mut command = curl(place);
        command.args(flags).arg(self.url(path));
        got(command)
    }
}

/// A `curl` command that prints everything: head, body, status.
pub(super) fn curl(place: &Place) -> Command {
    let mut command = place.program("curl");
    command.args([
        "-sS",
        "-i",
        "--max-time",
        "50",
        "-w",
        "\n%{http_code}",
        "--noproxy",
        "*",
    ]);
    command
}

/// Runs `curl`, and reads its output.
#[track_caller]
pub(super) fn got(command: Command) -> Got {
    let Done { code, out, err } = finished(command);
    assert_eq!(code, Some(0), "{out:?} {err:?}");
    taken_apart(&out)
}

/// What `curl` prints about one request.
#[track_caller]
pub(super) fn taken_apart(out: &str) -> Got {
    let (text, status) = out.rsplit_once('\n').unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    Got {
        status: status.to_owned(),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

impl Got {
    /// Asserts that the answer is a problem of the gateway that can be retried.
    #[track_caller]
    pub(super) fn assert_retryable(&self, statuses: &[&str]) -> serde_json::Value {
        assert!(statuses.contains(&self.status.as_str()), "{self:?}");
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{self:?}"
        );
        assert!(self.head.contains("retry-after: "), "{self:?}");
        let problem: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"].to_string(), self.status);
        problem
    }
}

/// Whether `curl` is missing. Prints so if it is.
pub(super) fn no_curl() -> bool {
    missing("curl", "--version")
}

/// Whether a program is missing. Prints so if it is.
pub(crate) fn missing(program: &str, flag: &str) -> bool {
    let is_there = Command::new(program).arg(flag).output().is_ok();
    if !is_there {
        eprintln!("SKIPPED a test of the gateway: there is no `{program}`");
    }
    !is_there
}

/// Waits until this holder answers requests.
pub(super) fn answers(place: &Place, front: &Front, holder: &str) {
    let words = format!("holder={holder} ");
    eventually(&format!("{holder} answers"), || {
        front
            .get(place, "/who?n=0", &[])
            .body
            .contains(&words)
            .then_some(())
    });
}

/// Waits until these nodes stand by.
pub(crate) fn standing_by(place: &Place, names: &[&str]) {
    until(&format!("{names:?} stand by"), || {
        place.status()["standbys"] == serde_json::json!(names)
    });
}

/// The same from another host: only the leader's own network reaches the address that lists the
/// standbys.
pub(super) fn standing_by_at(place: &Place, host: &Host, names: &[&str]) {
    until(&format!("{names:?} stand by"), || {
        let status = finished(host.has(place.incumbent(&["status"])));
        status.json()["standbys"] == serde_json::json!(names)
    });
}
