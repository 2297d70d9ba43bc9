//! [`At`]: where a source or a sink runs.

use std::fmt;
use std::sync::Arc;

use incumbent_state::hash_key;

/// Where a source or a sink runs: one rank of one attempt of a job.
#[derive(Clone, Debug)]
pub struct At {
    /// The name of the source or the sink in the job.
    pub name: String,
    /// The id of the job: 32 hexadecimal digits. `local` if there is no cluster.
    pub job: String,
    /// The number of the attempt. It rises: other systems can refuse what comes with a lower one.
    pub attempt: u64,
    /// The rank, from 0.
    pub rank: u32,
    /// How many tasks the job has.
    pub tasks: u32,
    /// Wakes the worker, for a source that had nothing and has something now.
    pub waker: Waker,
}

impl At {
    /// Whether this rank takes care of what has this name: a split, or something staged. Each name
    /// belongs to one rank. Names that differ in one number, as those of files and partitions do,
    /// are dealt out evenly.
    pub fn is_mine(&self, name: &str) -> bool {
        owner(name, self.tasks) == self.rank
    }
}

/// The rank that takes care of a name. The last number in it counts on from rank to rank; with
/// which of them each round begins is the hash of the rest, so that numbers that are all even, say,
/// do not all have the same.
fn owner(name: &str, tasks: u32) -> u32 {
    let tasks = u64::from(tasks.max(1));
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let bytes = name.as_bytes();
    let end = bytes.iter().rposition(is_digit).map_or(0, |at| at + 1);
    let digits = bytes[..end].iter().rev().take_while(|byte| is_digit(byte));
    let (before, rest) = name.split_at(end - digits.count());
    let (digits, after) = rest.split_at(end - before.len());
    // It may be too long for a number, and there may be none.
    let number = digits.bytes().fold(0_u64, |number, digit| {
        number
            .wrapping_mul(10)
            .wrapping_add(u64::from(digit - b'0'))
    });
    let first = hash_key(&(before, number / tasks, after)) % tasks;
    ((first + number % tasks) % tasks) as u32
}

/// Wakes a worker from any thread.
#[derive(Clone)]
pub struct Waker {
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Waker {
    /// One that calls this.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            wake: Arc::new(wake),
        }
    }

    /// Wakes the worker: it asks its sources again. It may be called often; calls are put together.
    pub fn wake(&self) {
        (self.wake)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn as_many_files_in_a_row_as_tasks_have_an_owner_each() {
        for tasks in 1..=9 {
            for name in ["events-#.ndjson", "#", "2024/part-0#.gz", "topic-7/#"] {
                let owners = (0..tasks).map(|n| owner(&name.replace('#', &n.to_string()), tasks));
                let owners: BTreeSet<u32> = owners.collect();
                assert!(owners.into_iter().eq(0..tasks), "{name} {tasks}");
            }
        }
    }

    #[test]
    fn names_of_any_kind_are_dealt_out() {
        let hourly = |n: u64| format!("events-{}.ndjson", 1_700_000_000 + n * 3600);
        let words = |n: u64| format!("{:x}z", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let endless = |n: u64| format!("{n}{}", "9".repeat(40));
        let makers: [&dyn Fn(u64) -> String; 3] = [&hourly, &words, &endless];
        for make in makers {
            for tasks in 2..=8 {
                let mut shares = vec![0; tasks as usize];
                for n in 0..1000 {
                    shares[owner(&make(n), tasks) as usize] += 1;
                }
                let even = 1000 / tasks;
                let is_fair = |share: &u32| (even / 2..even * 2).contains(share);
                assert!(shares.iter().all(is_fair), "{} {shares:?}", make(1));
            }
        }
        assert_eq!(owner("", 3), owner("", 3));
    }
}
