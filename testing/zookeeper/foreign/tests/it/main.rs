//! Clients of others on this project's server. One test per topic; a failure prints the output of
//! the topic, one line for each claim.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod curator;
mod kazoo;
mod needs;
mod program;
mod server;
mod zkcli;

use incumbent_servers::zookeeper::{Options, ZooKeeper};

use crate::server::Server;

/// Checks the claims themselves: a claim that a real ZooKeeper does not keep says nothing about its
/// protocol.
#[test]
#[ignore = "takes a minute and tests the tests: cargo test -p incumbent-foreign -- --ignored"]
fn a_real_zookeeper_passes_all() {
    // Sessions expire soon, and containers are deleted more often than once a minute.
    let options = Options::default()
        .config("tickTime=100")
        .config("minSessionTimeout=200")
        .config("maxSessionTimeout=60000")
        .property("znode.container.checkIntervalMs", "500")
        // Syncs would only make it slow.
        .property("zookeeper.forceSync", "no");
    let Some(real) = ZooKeeper::start(options) else {
        return;
    };
    let server = Server::at(&real.address());
    kazoo::TOPICS
        .iter()
        .for_each(|topic| kazoo::run(&server, topic));
    curator::TOPICS
        .iter()
        .for_each(|topic| curator::run(&server, topic));
    zkcli::SESSIONS
        .iter()
        .for_each(|session| zkcli::run(&server, session));
}
