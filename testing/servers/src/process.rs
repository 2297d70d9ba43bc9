//! The server's process, and the guard that ends it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal};

/// Ends the server when the process that started it is gone for any reason: its death closes the
/// pipe to the guard's standard input.
///
/// A server that all tests of a process share is in a `static`, which is never dropped.
const GUARD: &str =
    r#"trap '' INT HUP TERM; read -r _; kill -9 "$1"; [ -z "$2" ] || rm -rf -- "$2""#;

/// A running server. Dropping it kills it.
pub(crate) struct Process {
    server: Child,
    guard: Child,
    /// Nothing is written to it. The guard waits for it to close.
    _pipe: Option<ChildStdin>,
}

impl Process {
    /// Starts the server with its output in a file. If the guard ends the server, it removes
    /// `temporary`.
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

    /// The exit status, if the process has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<std::process::ExitStatus>> {
        self.server.try_wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The guard goes first: after `wait` on the server, its process ID may belong to another
        // process.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
