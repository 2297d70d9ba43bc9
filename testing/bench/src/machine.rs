//! The machine of the measurement.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

/// A machine, as a reader of the figures wants to know it.
pub(crate) struct Machine {
    cores: usize,
    cpu: String,
    kernel: String,
    dir: String,
    file_system: String,
    load: String,
}

/// Anything that cannot be found out is "unknown", which harms no figure.
pub(crate) fn describe(dir: &Path) -> Machine {
    let uname = rustix::system::uname();
    let words = [uname.sysname(), uname.release(), uname.machine()];
    Machine {
        cores: std::thread::available_parallelism().map_or(1, Into::into),
        cpu: cpu().unwrap_or_else(unknown),
        kernel: words.map(|word| word.to_string_lossy()).join(" "),
        dir: dir.display().to_string(),
        file_system: file_system(dir).unwrap_or_else(unknown),
        load: load().unwrap_or_else(unknown),
    }
}

impl Machine {
    pub(crate) fn json(&self) -> Value {
        json!({
            "cores": self.cores,
            "cpu": self.cpu,
            "kernel": self.kernel,
            "dir": self.dir,
            "file_system": self.file_system,
            "load": self.load,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cores of {}, {}, stores in {} on {}, load {}",
            self.cores, self.cpu, self.kernel, self.dir, self.file_system, self.load
        )
    }
}

fn cpu() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Of the mount with the longest path above `dir`; of several at one path, the last.
fn file_system(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        dir.starts_with(at).then(|| (at.len(), kind.to_owned()))
    };
    let found = mounts.lines().filter_map(mount);
    found
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

/// Of the last minute, at the end.
fn load() -> Option<String> {
    let load = std::fs::read_to_string("/proc/loadavg").ok()?;
    Some(load.split(' ').next()?.to_owned())
}

fn unknown() -> String {
    "unknown".into()
}
