//! Runs the conformance suite on a real ZooKeeper. Each handle has its own session, like a separate
//! process.
//!
//! Set `INCUMBENT_TEST_ZOOKEEPER=host:port` to run it on a server that is already running, which
//! need not be ZooKeeper's own.

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
