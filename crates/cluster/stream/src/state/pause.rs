//! How long a snapshot of a gigabyte stops the worker: measured, not tested.
//!
//! `cargo test --release -p incumbent-stream --lib state::pause -- --ignored --nocapture`

use std::hash::{Hash, Hasher};
use std::hint::black_box;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use incumbent_state::hash_key;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::{AnyTable, Table};
use crate::testing::Random;

/// About a hundred bytes when stored.
#[derive(Clone, Serialize, Deserialize)]
struct Account {
    count: u64,
    total: f64,
    last: i64,
    name: String,
}

/// As the engine encodes between two steps.
const SLICE: usize = 128 << 10;

/// Records between two slices.
const BATCH: u32 = 1_000;

/// Room for what is measured in a round. A list that grows is copied now and then, and the largest
/// copy takes 20 ms, which would count as work.
const MEASUREMENTS: usize = 20_000_000;

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}

/// What this thread has had of the processor.
fn own_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn new_account(key: u64) -> Account {
    Account {
        count: 1,
        total: key as f64 / 3.0,
        last: 1_700_000_000_000 + key as i64,
        name: format!("account {key:030}"),
    }
}

/// Changes random keys; every tenth record is of a new key, every tenth removes one.
struct Load {
    random: Random,
    keys: u64,
}

impl Load {
    fn record(&mut self, table: &mut Table<u64, Account>) {
        let key = self.random.below(self.keys);
        match self.random.below(10) {
            0 => {
                self.keys += 1;
                let new = self.keys;
                table.entry(hash_key(&new), &new, || new_account(new));
            }
            1 => drop(table.remove(hash_key(&key), &key)),
            _ => {
                let account = table.entry(hash_key(&key), &key, || new_account(key));
                account.count += 1;
                account.total += 1.5;
            }
        }
    }
}

fn percentile(gaps: &mut [Duration], of: f64) -> Duration {
    gaps.sort_unstable();
    gaps[((gaps.len() - 1) as f64 * of) as usize]
}

#[test]
#[ignore = "it measures, and takes three gigabytes"]
fn the_longest_pause_of_a_gigabyte() {
    let keys: u64 = std::env::var("KEYS").map_or(11_500_000, |keys| keys.parse().unwrap());
    let before = resident();
    let mut table = Table::<u64, Account>::new("accounts", "state");
    let start = now();
    let mut longest = Duration::ZERO;
    for key in 0..keys {
        let one = now();
        table.entry(hash_key(&key), &key, || new_account(key));
        longest = longest.max(one.elapsed());
    }
    println!(
        "{keys} keys in {:.1?} (longest {longest:.1?}); {} bytes of memory a key, of which {} are \
         the entry and its string",
        start.elapsed(),
        (resident() - before) / keys,
        size_of::<(u64, u64, Account)>() + 40
    );
    let mut load = Load {
        random: Random::new(7),
        keys,
    };
    let (start, mut records) = (now(), 0_u64);
    let mut gaps = Vec::new();
    while start.elapsed() < Duration::from_secs(4) {
        for _ in 0..BATCH {
            let one = now();
            load.record(&mut table);
            gaps.push(one.elapsed());
        }
        records += u64::from(BATCH);
    }
    let without = records as f64 / start.elapsed().as_secs_f64();
    println!(
        "without a snapshot: {without:.0} records/s, longest {:.1?}",
        percentile(&mut gaps, 1.0)
    );
    for round in 0..3 {
        let (blocks, taken) = channel::<Vec<incumbent_state::Block>>();
        // As the uploads: another thread takes them and frees them.
        let taker = std::thread::spawn(move || {
            taken
                .iter()
                .flatten()
                .map(|block| block.bytes.len())
                .sum::<usize>()
        });
        let mut gaps = Vec::with_capacity(MEASUREMENTS);
        let (start, mut records, mut slices) = (now(), 0_u64, 0_u64);
        table.begin_snapshot();
        let begin = start.elapsed();
        // The longest turn, and the most that this thread was at work in one: the rest it waited
        // for the processor.
        let mut turn = (Duration::ZERO, Duration::ZERO);
        loop {
            let (turn_began, own_began) = (now(), own_time());
            for _ in 0..BATCH {
                let one = now();
                load.record(&mut table);
                gaps.push(one.elapsed());
            }
            records += u64::from(BATCH);
            let one = now();
            let mut some = Vec::new();
            let is_whole = table.next_blocks(SLICE, &mut some).unwrap();
            blocks.send(some).unwrap();
            slices += 1;
            gaps.push(one.elapsed());
            turn.0 = turn.0.max(turn_began.elapsed());
            turn.1 = turn.1.max(own_time() - own_began);
            if is_whole {
                break;
            }
        }
        let took = start.elapsed();
        drop(blocks);
        let bytes = taker.join().unwrap();
        let during = records as f64 / took.as_secs_f64();
        println!(
            "snapshot {round}: {} MB in {took:.2?} and {slices} slices; begin {begin:.1?}; \
             {during:.0} records/s meanwhile ({:.0} %); a record or a slice: p99.9 {:.1?}, \
             longest {:.1?}; the longest turn of {BATCH} records and a slice {:.1?}, at work at most {:.1?}; \
             resident {} MB",
            bytes / 1_000_000,
            during / without * 100.0,
            percentile(&mut gaps, 0.999),
            percentile(&mut gaps, 1.0),
            turn.0,
            turn.1,
            resident() / 1_000_000
        );
    }
}

#[test]
#[ignore = "it measures"]
fn what_the_hash_of_a_key_takes() {
    fn by_hash<K: Hash>(key: &K) -> u64 {
        let mut hasher = SipHasher13::new();
        key.hash(&mut hasher);
        hasher.finish()
    }
    fn measure<K: Hash + Serialize>(what: &str, key: impl Fn(u64) -> K) {
        let keys: Vec<K> = (0..1_000).map(key).collect();
        let time = |hash: &dyn Fn(&K) -> u64| {
            let start = now();
            for _ in 0..2_000 {
                for key in &keys {
                    black_box(hash(black_box(key)));
                }
            }
            start.elapsed().as_nanos() as f64 / 2e6
        };
        println!(
            "{what}: by Hash {:.1} ns, as stored {:.1} ns",
            time(&by_hash),
            time(&hash_key)
        );
    }
    measure("u64", |key| key * 1_000_003);
    measure("a string of 20", |key| format!("customer {key:011}"));
    measure("a number and a string", |key| (key, format!("{key:08}")));
    measure("a string of 100", |key| format!("customer {key:091}"));
}
