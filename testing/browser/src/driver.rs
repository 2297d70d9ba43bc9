//! [`Driver`]: the process `chromedriver`, and the guard that ends it.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal};

use crate::wire::Wire;

/// Ends the driver, and so its browser, when the process that started it is gone for any reason:
/// its death closes the pipe to the guard's standard input.
const GUARD: &str = r#"trap '' INT HUP TERM; read -r _; kill -9 -- "-$1""#;

/// A running driver. Dropping it kills it, and its browser.
pub(crate) struct Driver {
    process: Child,
    guard: Child,
    /// Nothing is written to it. The guard waits for it to close.
    _pipe: Option<ChildStdin>,
    pub(crate) wire: Wire,
}

impl Driver {
    /// Starts it on a free port, and returns when it serves.
    pub(crate) fn start(command: &mut Command) -> std::io::Result<Self> {
        let mut process = command
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(process.id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut guard = match guard {
            Ok(guard) => guard,
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                return Err(error);
            }
        };
        let pipe = guard.stdin.take();
        let out = process.stdout.take();
        let mut driver = Self {
            process,
            guard,
            _pipe: pipe,
            wire: Wire { port: 0 },
        };
        let mut lines = BufReader::new(out.ok_or(std::io::ErrorKind::BrokenPipe)?).lines();
        for line in lines.by_ref() {
            let line = line?;
            // "ChromeDriver was started successfully on port 12345."
            let Some((_, port)) = line.split_once("on port ") else {
                continue;
            };
            let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
            if let (true, Ok(port)) = (line.contains("started successfully"), digits.parse()) {
                driver.wire.port = port;
                // Somebody has to read what else it says.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(driver);
            }
        }
        Err(std::io::Error::other("chromedriver ended before it served"))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The guard goes first: after `wait` on the driver, its process id may belong to another
        // process.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        if let Some(group) = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw)
        {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}
