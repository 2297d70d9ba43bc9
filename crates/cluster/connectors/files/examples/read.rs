//! How fast files are read, beside a plain loop: `cargo run --release --example read -- FILE…`
//!
//! The files are NDJSON of objects with `auction`, `bidder` and `price`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use incumbent_stream::{At, Batch, BoxError, Read, Reader, Source, Waker};
use incumbent_stream_files::Files;
use serde::{Deserialize, Serialize};

/// How often each is measured. The best counts, as other work on the machine only slows down.
const TIMES: usize = 5;

#[derive(Serialize, Deserialize)]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
}

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        eprintln!("say which files to read");
        return ExitCode::FAILURE;
    }
    let mut best = [Duration::MAX; 2];
    let mut sums = [(0, 0); 2];
    for _ in 0..TIMES {
        for (at, read) in [plain, source].into_iter().enumerate() {
            match timed(|| read(&files)) {
                (took, Ok(sum)) => {
                    best[at] = best[at].min(took);
                    sums[at] = sum;
                }
                (_, Err(error)) => {
                    eprintln!("{error}");
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    assert_eq!(sums[0], sums[1], "both have read the same");
    let rate = |took: Duration| sums[0].0 as f64 / took.as_secs_f64() / 1e6;
    println!("plain loop: {:.2} M records/s", rate(best[0]));
    println!("source:     {:.2} M records/s", rate(best[1]));
    println!("ratio:      {:.2}", rate(best[1]) / rate(best[0]));
    ExitCode::SUCCESS
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let done = work();
    (start.elapsed(), done)
}

/// Records and the sum of their prices.
fn plain(files: &[String]) -> Result<(u64, u64), BoxError> {
    let mut sum = (0, 0);
    for file in files {
        let mut input = BufReader::with_capacity(256 * 1024, File::open(file)?);
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line)? > 0 {
            let bid: Bid = serde_json::from_slice(&line)?;
            sum = (sum.0 + 1, sum.1 + bid.price);
            line.clear();
        }
    }
    Ok(sum)
}

fn source(files: &[String]) -> Result<(u64, u64), BoxError> {
    let mut sum = (0, 0);
    let at = At {
        name: "bids".to_owned(),
        job: "local".to_owned(),
        attempt: 1,
        rank: 0,
        tasks: 1,
        waker: Waker::new(|| {}),
    };
    for file in files {
        let mut reader = Files::ndjson::<Bid>(file).open(&at, BTreeMap::new())?;
        for split in reader.discover()?.splits {
            loop {
                let mut batch = Batch::default();
                let read = reader.read(&split, &mut batch)?;
                for bid in batch.into_records() {
                    sum = (sum.0 + 1, sum.1 + bid.price);
                }
                if read == Read::Ended {
                    break;
                }
            }
        }
    }
    Ok(sum)
}
