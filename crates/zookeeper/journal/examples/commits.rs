//! How fast entries become durable, compared with the disk by itself:
//! `cargo run --release -p incumbent-journal --example commits -- DIRECTORY`
//!
//! A journal is made in the directory and removed again. Without one, it is made where temporary
//! files go.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use incumbent_journal::{BoxError, Journal, Options};

const ENTRY: [u8; 200] = [7; 200];
const EACH: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let dir = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(dir)?;
    println!("{:24} {:>9}   {:>9} {:>9}", "", "entries/s", "p50", "p99");
    told("bare fdatasync", bare(dir.path())?);
    for appenders in [1, 16, 256] {
        let at = dir.path().join(appenders.to_string());
        told(
            &format!("{appenders} appenders"),
            journal(&at, appenders).await?,
        );
    }
    appends(&dir.path().join("appends")).await
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}

fn told(name: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |part: usize| {
        took.get(took.len() * part / 100)
            .map_or(0, Duration::as_micros)
    };
    let rate = took.len() as f64 / EACH.as_secs_f64();
    println!("{name:24} {rate:9.0}   {:6} µs {:6} µs", at(50), at(99));
}

/// One block after the other, into a file that was written before: the least that a commit of a
/// single appender takes.
fn bare(dir: &Path) -> io::Result<Vec<Duration>> {
    const BLOCKS: u64 = 16 << 10;
    let file = File::create(dir.join("bare"))?;
    file.write_all_at(&vec![0; 4096 * BLOCKS as usize], 0)?;
    file.sync_all()?;
    let mut took = Vec::new();
    let start = now();
    while start.elapsed() < EACH {
        let before = now();
        file.write_all_at(&[7; 4096], took.len() as u64 % BLOCKS * 4096)?;
        file.sync_data()?;
        took.push(before.elapsed());
    }
    Ok(took)
}

/// Appenders that each wait until their entry is durable before they append the next one.
async fn journal(dir: &Path, appenders: usize) -> Result<Vec<Duration>, BoxError> {
    let journal = Journal::open(dir, Options::default(), |_| Ok(()))?.journal;
    let last = Arc::new(Mutex::new(0));
    let start = now();
    let tasks =
        (0..appenders).map(|_| tokio::spawn(appender(journal.clone(), Arc::clone(&last), start)));
    let tasks: Vec<_> = tasks.collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await??);
    }
    journal.close().await?;
    Ok(took)
}

async fn appender(
    journal: Journal,
    last: Arc<Mutex<u64>>,
    start: Instant,
) -> Result<Vec<Duration>, BoxError> {
    let mut took = Vec::new();
    while start.elapsed() < EACH {
        let before = now();
        let index = {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            *last += 1;
            journal.append(*last, &ENTRY)?;
            *last
        };
        journal.wait_durable(index).await?;
        took.push(before.elapsed());
    }
    Ok(took)
}

/// What an append itself takes. A server appends under its lock.
async fn appends(dir: &Path) -> Result<(), BoxError> {
    const COUNT: u64 = 500_000;
    let journal = Journal::open(dir, Options::default(), |_| Ok(()))?.journal;
    let mut took = Vec::new();
    for index in 1..=COUNT {
        if index % 1000 == 0 {
            journal.room().await?;
        }
        let before = now();
        journal.append(index, &ENTRY)?;
        took.push(before.elapsed());
    }
    journal.close().await?;
    took.sort_unstable();
    let at = |part: usize| {
        took.get(took.len() * part / 1000)
            .map_or(0, Duration::as_nanos)
    };
    println!(
        "append itself: p50 {} ns, p99 {} ns, p99.9 {} ns",
        at(500),
        at(990),
        at(999)
    );
    Ok(())
}
