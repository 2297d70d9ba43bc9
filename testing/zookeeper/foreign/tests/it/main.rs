//! Foreign clients on our server. One test per topic; a failure prints the topic's output, a line
//! for each claim.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod curator;
mod kazoo;
mod needs;
mod program;
mod server;
mod zkcli;

use incumbent_real_zookeeper::{Options, ZooKeeper};

use crate::server::Server;

/// The claims themselves are tried here: what a real ZooKeeper does not keep is no claim on its
/// protocol.
#[test]
#[ignore = "takes a minute and tests the tests: cargo test -p incumbent-foreign -- --ignored"]
fn a_real_zookeeper_passes_all() {
    // Expires in good time, and looks for containers more often than once a minute.
    let options = Options::default()
        .config("tickTime=100")
        .config("minSessionTimeout=200")
        .config("maxSessionTimeout=60000")
        .property("znode.container.checkIntervalMs", "500")
        // A busy disk would only make it slow.
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
