//! Prints who leads a component of a Flink cluster, now and at each change:
//! `follow ADDRESS [COMPONENT]`.

use futures::StreamExt;
use incumbent_flink_ha::{Component, FlinkAddress, follow};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("follow ADDRESS [COMPONENT]")?;
    let address: FlinkAddress = address.parse()?;
    let component = arguments.next().unwrap_or_else(|| "restserver".into());
    let component: Component = component.parse()?;
    let mut leaders = follow(&address, &component)?;
    while let Some(leader) = leaders.next().await {
        match leader {
            Some(leader) => println!("{} {}", leader.session, leader.address),
            None => println!("nobody"),
        }
    }
    Ok(())
}
