//! Runs a program to its end, for at most a given time.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// Far more than any topic needs, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A process and its children, which end with it.
pub(crate) struct Group(pub(crate) Child);

impl Group {
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.process_group(0).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}")))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.0);
        // The id still belongs to it: it was not waited for, or has just been.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
    }
}

/// The output of a program on both streams, and how it ended.
///
/// # Panics
///
/// The program has not ended after [`PATIENCE`].
pub(crate) fn finished(command: &mut Command) -> (ExitStatus, String) {
    let (mut output, both) = std::io::pipe().unwrap();
    command
        .stdin(Stdio::null())
        .stdout(both.try_clone().unwrap())
        .stderr(both);
    let mut group = Group::start(command);
    // The pipe ends when no process can write to it any more.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (done, text) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = output.read_to_end(&mut text);
        let _ = done.send(String::from_utf8_lossy(&text).into_owned());
    });
    let text = text.recv_timeout(PATIENCE);
    let text = text.unwrap_or_else(|_| panic!("{command:?} has not ended in {PATIENCE:?}"));
    (group.0.wait().unwrap(), text)
}
