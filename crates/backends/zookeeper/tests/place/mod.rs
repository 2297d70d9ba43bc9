//! A place for the conformance suite on any server that speaks ZooKeeper's protocol.
//!
//! Other crates that have such a server include this file:
//! `#[path = "../../zookeeper/tests/place/mod.rs"] mod place;`

use std::sync::Arc;

use incumbent_backend_zookeeper::ZooKeeperBackend;
use incumbent_conformance::Place;
use zookeeper_client::{Client, Error};

/// A place on the server at `host:port`, with its own directory there. `options` are the part of an
/// address after `?`.
pub(crate) fn place(server: &str, options: &str) -> Place {
    let base = format!("/conformance/{:016x}", rand::random::<u64>());
    let address = format!("zookeeper://{server}{base}?{options}");
    let address = address.parse().expect("it is an address");
    let by_hand = Arc::new(ByHand {
        server: server.to_owned(),
        base,
    });
    Place::new(move || {
        std::future::ready(ZooKeeperBackend::open(&address).expect("the address is good"))
    })
    .remove_by_hand(move |key| {
        let by_hand = Arc::clone(&by_hand);
        async move {
            let node = key.item().replace('/', "+");
            let node = format!("{}/{}/{node}", by_hand.base, key.group());
            by_hand.remove(&node).await;
        }
    })
}

struct ByHand {
    server: String,
    base: String,
}

impl ByHand {
    /// Works like `deleteall` of zkCli.
    async fn remove(&self, node: &str) {
        let client = Client::connect(&self.server).await.expect("it is there");
        for child in client.list_children(node).await.expect("it exists") {
            let removed = client.delete(&format!("{node}/{child}"), None).await;
            assert!(matches!(removed, Ok(()) | Err(Error::NoNode)));
        }
        client.delete(node, None).await.expect("it is empty");
    }
}
