//! What processes take of the processors, and whether one of them reads a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Failure;

/// Linux counts in hundredths of a second for programs, whatever the kernel uses.
const TICK: Duration = Duration::from_millis(10);

/// What everything took that this process has started, and what that has started: with those that
/// have ended and were waited for.
pub(super) fn cpu_of_descendants() -> Result<Duration, Failure> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let pid = path.file_name().and_then(|name| name.to_str());
        let Some(pid) = pid.and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // The process may end meanwhile.
        if let Ok(stat) = std::fs::read_to_string(path.join("stat")) {
            all.extend(parse(&stat).map(|found| (pid, found)));
        }
    }
    let own = std::process::id();
    let ticks = all.iter().filter(|(pid, _)| is_below(**pid, own, &all));
    let ticks: u32 = ticks.map(|(_, found)| found.ticks).sum();
    Ok(TICK * ticks)
}

struct Stat {
    parent: u32,
    /// Of itself, and of its children that it has waited for.
    ticks: u32,
}

/// Reads `/proc/PID/stat`.
fn parse(stat: &str) -> Option<Stat> {
    // The name is in brackets, and may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |index: usize| fields.get(index)?.parse::<u32>().ok();
    Some(Stat {
        parent: field(1)?,
        ticks: field(11)? + field(12)? + field(13)? + field(14)?,
    })
}

fn is_below(pid: u32, ancestor: u32, all: &BTreeMap<u32, Stat>) -> bool {
    let mut at = pid;
    while let Some(found) = all.get(&at) {
        if found.parent == ancestor {
            return true;
        }
        at = found.parent;
    }
    false
}

/// Looks how far processes have read a file.
pub(super) struct Reading {
    file: PathBuf,
    /// By process and descriptor.
    positions: BTreeMap<(u32, u32), u64>,
}

impl Reading {
    pub(super) fn of(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            positions: BTreeMap::new(),
        }
    }

    /// Whether any of them has moved in the file since the last look.
    pub(super) fn has_moved(&mut self) -> Result<bool, Failure> {
        let name = self.file.to_str().ok_or("the file's name is not UTF-8")?;
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir("/proc")? {
            let path = entry?.path();
            let pid = path.file_name().and_then(|name| name.to_str());
            let Some(pid) = pid.and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // Only a task that counts names the file: most processes are left out by this.
            let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
            let mut words = line.split(|byte| *byte == 0);
            if !words.any(|word| word == name.as_bytes()) {
                continue;
            }
            for (descriptor, position) in positions(&path, &self.file) {
                found.insert((pid, descriptor), position);
            }
        }
        let has_moved = found.iter().any(|(who, position)| {
            self.positions
                .get(who)
                .map_or(*position > 0, |before| before != position)
        });
        self.positions = found;
        Ok(has_moved)
    }
}

/// The descriptors of a process that are open for this file, and where they are. Nothing of a
/// process that has ended.
fn positions(process: &Path, file: &Path) -> Vec<(u32, u64)> {
    let Ok(descriptors) = std::fs::read_dir(process.join("fd")) else {
        return Vec::new();
    };
    let position = |path: PathBuf| {
        if std::fs::read_link(&path).ok()? != file {
            return None;
        }
        let descriptor = path.file_name()?.to_str()?;
        let info = std::fs::read_to_string(process.join("fdinfo").join(descriptor)).ok()?;
        let line = info.lines().find_map(|line| line.strip_prefix("pos:"))?;
        Some((descriptor.parse().ok()?, line.trim().parse().ok()?))
    };
    descriptors
        .filter_map(|entry| position(entry.ok()?.path()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_brackets() {
        let stat = "7 (a) b) S 3 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 5 6 7";
        let found = parse(stat).unwrap();
        assert_eq!((found.parent, found.ticks), (3, 100));
        assert!(parse("nothing").is_none());
    }

    #[test]
    fn the_position_of_an_open_file_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap().join("file");
        std::fs::write(&path, [0; 100]).unwrap();
        let mut file = std::fs::File::open(&path).unwrap();
        let own = Path::new("/proc/self");
        let position = || positions(own, &path).first().map(|found| found.1);
        assert_eq!(position(), Some(0));
        file.read_exact(&mut [0; 60]).unwrap();
        assert_eq!(position(), Some(60));
        drop(file);
        assert_eq!(position(), None);
    }
}
