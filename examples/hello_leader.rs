//! A leader in twenty lines. Start it in two terminals, and end one with ctrl-c or kill -9.
//!
//! `cargo run -p incumbent --example hello_leader -- file:///tmp/hello`

use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or("file:///tmp/hello".into());
    let group = incumbent::open(&address).await?.group("hello")?;
    let candidate = group.candidate()?;
    println!("{} stands by", group.holder());
    loop {
        let leadership = candidate.campaign().await;
        leadership.activate().await?;
        println!("{} leads at epoch {}", group.holder(), leadership.epoch());
        let mut work = tokio::time::interval(Duration::from_secs(1));
        let lost = leadership.lost();
        tokio::pin!(lost);
        loop {
            tokio::select! {
                _ = work.tick() => println!("working; valid for {:?}", leadership.guard().remaining()),
                why = &mut lost => break println!("stopped: {}", incumbent::describe(&why)),
                _ = tokio::signal::ctrl_c() => {
                    leadership.resign(None).await;
                    return Ok(());
                }
            }
        }
    }
}
