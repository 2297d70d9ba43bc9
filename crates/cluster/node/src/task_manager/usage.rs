//! How much processor time and memory tasks take, with all that they have started; as the kernel
//! says in `/proc`.
//!
//! Memory is what is resident: pages that processes share count for each of them. The time of a
//! process that has ended counts for its parent, if that has waited for it.

use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::tasks::Tasks;

/// How long a look serves others: a page and Prometheus may ask at the same time.
const FRESH: Duration = Duration::from_secs(1);

/// Most processes of one task that are looked at. A task with more shows less than it takes.
const MOST_PROCESSES: usize = 256;

/// Ticks of a second in `/proc`: the same on all architectures of Linux that this runs on, whatever
/// the kernel counts by itself.
const TICKS: f64 = 100.0;

const CPU: &str = "incumbent_cluster_task_cpu_seconds_total";
const MEMORY: &str = "incumbent_cluster_task_memory_bytes";

/// What the tasks of a TaskManager take. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Usages(Arc<Mutex<Option<(Instant, String)>>>);

/// What a task takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Usage {
    cpu_seconds: f64,
    memory_bytes: u64,
}

impl Usages {
    /// The metrics of all tasks that run, as text for Prometheus.
    pub(super) fn to_text(&self, tasks: &Tasks) -> String {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((at, text)) if at.elapsed() < FRESH => text.clone(),
            _ => {
                let text = text(tasks);
                *last = Some((Instant::now(), text.clone()));
                text
            }
        }
    }
}

fn text(tasks: &Tasks) -> String {
    let (mut cpu, mut memory) = (String::new(), String::new());
    for entry in tasks.all() {
        let Some((pid, job)) = entry.process() else {
            continue;
        };
        let Some(usage) = usage(pid) else { continue };
        let labels = format!("{{job=\"{job}\",rank=\"{}\"}}", entry.id.rank);
        // Writing to a string cannot fail.
        let _ = writeln!(cpu, "{CPU}{labels} {:.2}", usage.cpu_seconds);
        let _ = writeln!(memory, "{MEMORY}{labels} {}", usage.memory_bytes);
    }
    if cpu.is_empty() {
        return String::new();
    }
    format!(
        "# HELP {CPU} Processor time of a task and of all that it has started.\n# TYPE {CPU} counter\n{cpu}\
         # HELP {MEMORY} Resident memory of a task and of all that it has started.\n# TYPE {MEMORY} gauge\n{memory}"
    )
}

/// What a process and all below it take; `None` if it is gone.
fn usage(pid: u32) -> Option<Usage> {
    let mut whole = of_process(pid)?;
    let mut below = children(pid);
    for _ in 1..MOST_PROCESSES {
        let Some(pid) = below.pop() else { break };
        if let Some(usage) = of_process(pid) {
            whole.cpu_seconds += usage.cpu_seconds;
            whole.memory_bytes += usage.memory_bytes;
            below.extend(children(pid));
        }
    }
    Some(whole)
}

fn of_process(pid: u32) -> Option<Usage> {
    let of = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    Some(Usage {
        cpu_seconds: cpu_seconds(&of("stat")?)?,
        // A process that has ended and is not waited for has none.
        memory_bytes: memory_bytes(&of("status")?).unwrap_or_default(),
    })
}

/// The time of a process, and of what has ended below it, from a line of `/proc/PID/stat`. The name
/// of the program is in brackets, and may have some itself.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // The third field of the line is the first here.
    let number = |at: usize| fields.get(at - 3)?.parse::<u64>().ok();
    let ticks = number(14)? + number(15)? + number(16)? + number(17)?;
    #[expect(clippy::cast_precision_loss, reason = "hundredths of a second")]
    let seconds = ticks as f64 / TICKS;
    Some(seconds)
}

/// Resident memory, from `/proc/PID/status`.
fn memory_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The children of all threads of a process, if the kernel lists them.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists = threads.flatten().take(MOST_PROCESSES);
    let lists = lists.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers = |list: String| -> Vec<u32> {
        list.split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect()
    };
    lists.flat_map(numbers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read_whatever_the_program_is_called() {
        let line =
            "7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 30 20 20 0 1 0 100 1000000 25";
        assert!((cpu_seconds(line).unwrap() - 2.5).abs() < 1e-9);
        assert_eq!(cpu_seconds(""), None);
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
        let status = "Name:\ta\nVmHWM:\t 9000 kB\nVmRSS:\t  1234 kB\nRssAnon:\t 1 kB\n";
        assert_eq!(memory_bytes(status), Some(1234 * 1024));
        assert_eq!(memory_bytes("Name:\ta\n"), None);
    }

    #[test]
    fn this_process_takes_something_and_one_that_is_gone_nothing() {
        assert!(usage(std::process::id()).unwrap().memory_bytes > 0);
        assert_eq!(usage(u32::MAX), None);
    }
}
