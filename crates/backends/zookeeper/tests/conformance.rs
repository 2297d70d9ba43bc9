//! The contract, on a real ZooKeeper. Each handle is a session of its own, as another process's
//! would be.
//!
//! `INCUMBENT_TEST_ZOOKEEPER=host:port` runs it on a server that is there already, which need not
//! be ZooKeeper's own.

mod place;

use incumbent_conformance::Place;
use incumbent_servers::zookeeper::ZooKeeper;

fn place(options: &str) -> Option<Place> {
    let other = std::env::var("INCUMBENT_TEST_ZOOKEEPER").ok();
    let server = other.or_else(|| Some(ZooKeeper::shared()?.address()))?;
    Some(place::place(&server, options))
}

mod bare {
    incumbent_conformance::bare!(super::place(""));
}

mod bare_with_watches_of_nodes {
    incumbent_conformance::bare!(super::place("watch=nodes"));
}

mod unreliable {
    incumbent_conformance::unreliable!(super::place(""));
}
