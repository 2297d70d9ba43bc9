//! A counter that never goes back and never loses an acknowledged step, whichever process leads
//! and whatever is killed.
//!
//! `cargo run -p incumbent --example fenced_counter -- file:///tmp/counter`

use incumbent::{Error, RecordName};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or("file:///tmp/counter".into());
    let name: RecordName = "count".parse()?;
    let group = incumbent::open(&address).await?.group("counter")?;
    let candidate = group.candidate()?;
    loop {
        let leadership = candidate.campaign().await;
        let mut count = leadership.open::<u64>(&name).await?;
        let stopped = loop {
            let next = count.data().map_or(1, |count| count + 1);
            match count.commit(next).await {
                Ok(()) if next % 1000 == 0 => println!("epoch {}: {next}", leadership.epoch()),
                Ok(()) => {}
                // The outcome is unknown, or somebody wrote in between: open the record again to
                // see.
                Err(Error::Unknown { .. } | Error::Conflict { .. }) => match count.reopen().await {
                    Ok(()) => {}
                    Err(error) => break error,
                },
                Err(error) => break error,
            }
        };
        eprintln!("epoch {} ends: {stopped}", leadership.epoch());
    }
}
