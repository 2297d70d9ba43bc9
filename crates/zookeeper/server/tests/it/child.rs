//! A server in a process of its own, which can be killed and stopped: this test binary, started
//! again.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use incumbent_leader_server::{Options, Server};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::harness::{kept_in, soon};

/// Makes this process a server, with this directory; `-` for none.
const DIR: &str = "INCUMBENT_TEST_SERVER_DIR";
const LISTEN: &str = "INCUMBENT_TEST_SERVER_LISTEN";

/// Not a test unless a test has started this process.
#[test]
fn this_process_is_a_server() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let mut options = match dir.to_str() {
        Some("-") => Options::local(),
        _ => kept_in(Path::new(&dir)),
    };
    options.listen = vec![std::env::var(LISTEN).unwrap().parse().unwrap()];
    options.machine.min_session_timeout = Duration::from_millis(200);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ended = runtime.block_on(async {
        let server = Server::bind(options).await?;
        say(&format!("ADDRESS {}", server.addresses()[0]));
        Ok::<_, Box<dyn std::error::Error>>(server.run(std::future::pending()).await?)
    });
    let error = ended.unwrap_err();
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    say(&format!("ENDED {error}: {cause}"));
}

#[expect(clippy::print_stdout, reason = "the test that started it reads it")]
fn say(line: &str) {
    println!("\n{line}");
}

/// A server that is killed when this is dropped.
pub(crate) struct ServerProcess {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl ServerProcess {
    pub(crate) async fn start(dir: Option<&Path>) -> Self {
        Self::start_at(dir, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub(crate) async fn start_at(dir: Option<&Path>, listen: SocketAddr) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::this_process_is_a_server", "--nocapture"])
            .env(DIR, dir.unwrap_or(Path::new("-")))
            .env(LISTEN, listen.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = soon(said(&mut lines)).await;
        let address = said.strip_prefix("ADDRESS ");
        Self {
            address: address
                .unwrap_or_else(|| panic!("it does not serve: {said}"))
                .parse()
                .unwrap(),
            child,
        }
    }

    pub(crate) async fn kill(mut self) {
        soon(self.child.kill()).await.unwrap();
    }

    /// Stops the process while the future runs.
    pub(crate) async fn while_stopped<T>(&self, meanwhile: impl Future<Output = T>) -> T {
        let pid = Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
        let done = meanwhile.await;
        kill_process(pid, Signal::CONT).unwrap();
        done
    }
}

async fn said(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    loop {
        let line = lines.next_line().await.unwrap().expect("it says something");
        if ["ADDRESS ", "ENDED "]
            .iter()
            .any(|word| line.starts_with(word))
        {
            return line;
        }
    }
}
