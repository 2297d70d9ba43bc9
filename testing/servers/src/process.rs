//! The process, and its guard.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal};

/// Ends the server when the process that started it is gone in any way: then the pipe to its
/// standard input ends.
///
/// A server that all tests of a process share lies in a `static`, which is never dropped.
const GUARD: &str =
    r#"trap '' INT HUP TERM; read -r _; kill -9 "$1"; [ -z "$2" ] || rm -rf -- "$2""#;

/// A running server. Dropping it kills it.
pub(crate) struct Process {
    server: Child,
    guard: Child,
    /// Never written to. Its end is what the guard waits for.
    _pipe: Option<ChildStdin>,
}

impl Process {
    /// Starts the server with its output in a file. The guard removes `temporary`, if it ever acts.
    pub(crate) fn start(
        command: &mut Command,
        output: &Path,
        temporary: Option<&Path>,
    ) -> io::Result<Self> {
        let output = File::options().create(true).append(true).open(output)?;
        let mut server = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(server.id().to_string())
            .arg(temporary.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut guard = match guard {
            Ok(guard) => guard,
            Err(error) => {
                let _ = server.kill();
                let _ = server.wait();
                return Err(error);
            }
        };
        let pipe = guard.stdin.take();
        Ok(Self {
            server,
            guard,
            _pipe: pipe,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.server.id()
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        rustix::process::kill_process(Pid::from_child(&self.server), signal)?;
        Ok(())
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> io::Result<Option<std::process::ExitStatus>> {
        self.server.try_wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The guard first: once the server is waited for, its number may be another process's.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
