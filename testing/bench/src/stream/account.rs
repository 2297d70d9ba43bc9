//! What processes take of the processors and of the memory, by their own account.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Failure;

/// Linux counts in hundredths of a second for programs, whatever the kernel uses.
const TICK: Duration = Duration::from_millis(10);

/// How often memory is looked at: a look costs a few milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Which processes count.
#[derive(Clone, Debug)]
pub(super) enum Of {
    /// These, and none that they have started.
    Only(Vec<u32>),
    /// All that this process has started, and so on, without these and theirs.
    AllBut(Vec<u32>),
}

struct Process {
    parent: u32,
    /// Of itself, and of its children that it has waited for.
    ticks: u64,
    pages: u64,
}

impl Of {
    /// What they have taken of the processors, with those that have ended and were waited for.
    pub(super) fn cpu(&self) -> Result<Duration, Failure> {
        let ticks: u64 = self.processes()?.iter().map(|process| process.ticks).sum();
        Ok(TICK * u32::try_from(ticks)?)
    }

    /// What they have in memory now, in MiB: what several share counts several times.
    fn memory(&self) -> Result<f64, Failure> {
        let pages: u64 = self.processes()?.iter().map(|process| process.pages).sum();
        let page = rustix::param::page_size();
        Ok(pages as f64 * page as f64 / f64::from(1 << 20))
    }

    fn processes(&self) -> Result<Vec<Process>, Failure> {
        let mut all = all()?;
        let own = std::process::id();
        let chosen: Vec<u32> = match self {
            Self::Only(pids) => pids.clone(),
            Self::AllBut(others) => {
                let counts =
                    |pid: &u32| is_below(*pid, &[own], &all) && !is_below(*pid, others, &all);
                let all = all.keys().copied();
                all.filter(|pid| !others.contains(pid))
                    .filter(counts)
                    .collect()
            }
        };
        Ok(chosen.iter().filter_map(|pid| all.remove(pid)).collect())
    }

    /// Looks at their memory until the work is done: the most that they had.
    pub(super) async fn peak<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<(T, f64), Failure> {
        let mut peak: f64 = 0.0;
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok((done?, peak.max(self.memory()?))),
                () = tokio::time::sleep(LOOK_EVERY) => peak = peak.max(self.memory()?),
            }
        }
    }
}

fn all() -> Result<BTreeMap<u32, Process>, Failure> {
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
    Ok(all)
}

/// Reads `/proc/PID/stat`.
fn parse(stat: &str) -> Option<Process> {
    // The name is in brackets, and may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Process {
        parent: u32::try_from(field(1)?).ok()?,
        ticks: field(11)? + field(12)? + field(13)? + field(14)?,
        pages: field(21)?,
    })
}

fn is_below(pid: u32, ancestors: &[u32], all: &BTreeMap<u32, Process>) -> bool {
    let mut at = pid;
    while let Some(found) = all.get(&at) {
        if ancestors.contains(&found.parent) {
            return true;
        }
        at = found.parent;
    }
    false
}

/// What the children of this process that it has waited for have taken of the processors.
pub(super) fn cpu_of_ended() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat
        .rsplit_once(')')
        .ok_or("no statistics of this process")?
        .1;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u32 = fields[13].parse::<u32>()? + fields[14].parse::<u32>()?;
    Ok(TICK * ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_brackets() {
        let stat = "7 (a) b) S 3 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 5 6 7";
        let found = parse(stat).unwrap();
        assert_eq!((found.parent, found.ticks, found.pages), (3, 100, 7));
        assert!(parse("nothing").is_none());
    }

    #[test]
    fn this_process_is_below_its_parent_and_in_memory() {
        let all = all().unwrap();
        let own = std::process::id();
        assert!(is_below(own, &[all[&own].parent], &all));
        assert!(Of::Only(vec![own]).memory().unwrap() > 0.5);
    }
}
