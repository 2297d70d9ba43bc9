//! What the query `count` does, as a loop without an engine: `plain DIR`. It is what a stream job
//! is measured against.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader};

use incumbent_nexmark::Event;
use serde::Deserialize;

/// The one field of a bid that is needed, as in the query.
#[derive(Deserialize)]
struct OnAuction {
    auction: i64,
}

#[derive(Deserialize)]
struct Nothing {}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).ok_or("usage: plain DIR")?;
    let mut counts: HashMap<i64, u64> = HashMap::new();
    let mut line = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let mut file = BufReader::with_capacity(1 << 18, File::open(entry?.path())?);
        while file.read_until(b'\n', &mut line)? > 0 {
            let event: Event<Nothing, Nothing, OnAuction> = serde_json::from_slice(&line)?;
            if let Event::Bid(bid) = event {
                let count = counts.entry(bid.auction).or_default();
                *count += 1;
                black_box((bid.auction, *count));
            }
            line.clear();
        }
    }
    println!(
        "{} keys, {} bids",
        counts.len(),
        counts.values().sum::<u64>()
    );
    Ok(())
}
