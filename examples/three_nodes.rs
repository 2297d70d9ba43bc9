//! Three nodes in one process: one leads, the others take over in turn, an observer tells.
//!
//! `cargo run -p incumbent --example three_nodes`

use incumbent::{Options, View};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = incumbent::open("memory:").await?;
    let mut observer = store.group("nodes")?.observe();
    for name in ["north", "east", "west"] {
        let options = Options {
            holder: Some(name.parse()?),
            ..Options::default()
        };
        let group = store.group_with("nodes", options)?;
        tokio::spawn(async move {
            let leadership = group.candidate()?.campaign().await;
            leadership
                .publish(&"web".parse()?, &format!("http://{name}"))
                .await?;
            leadership.activate().await?;
            leadership.resign(None).await;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
    let mut terms = 0;
    while terms < 3 {
        let view = observer.next().await;
        println!("{view:?}");
        terms = view.epoch().map_or(terms, |epoch| epoch.get());
    }
    // The last term ends when its leader resigns.
    observer.wait_for(|view| *view == View::None).await;
    Ok(())
}
