//! The servers that are compared.

use std::convert::Infallible;
use std::sync::mpsc;
use std::time::Duration;

use incumbent_leader_server::{Server, machine};
use incumbent_servers::zookeeper::{Options, ZooKeeper};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// The address of a server that the tests use instead of one that they start.
pub const OURS: &str = "INCUMBENT_DIFFERENTIAL_OURS";

/// A real ZooKeeper in the configuration that scripts are made for. If none is installed, prints
/// that and returns `None`.
pub fn reference() -> Option<ZooKeeper> {
    let options = Options::default()
        // Limits that negotiations of time-outs meet.
        .config("tickTime=2000")
        .config("minSessionTimeout=4000")
        .config("maxSessionTimeout=40000")
        // Nothing here outlives the process.
        .config("forceSync=no")
        // Containers and nodes with a time to live are not deleted while a script looks at them.
        .property("znode.container.checkIntervalMs", "1000000000")
        // Warnings about what scripts do on purpose would fill a disk.
        .log_level("error")
        .jvm_flags(["-Xmx1g", "-XX:+UseSerialGC"]);
    ZooKeeper::start(options)
}

/// This project's server, in this process. It ends when this is dropped.
#[derive(Debug)]
pub struct Ours {
    address: String,
    /// Dropping it stops the server.
    _stop: oneshot::Sender<Infallible>,
    _data: TempDir,
}

/// Starts this project's server with a directory, like ZooKeeper: without one it accepts clients
/// that have seen a higher zxid.
///
/// # Panics
///
/// The server does not start.
pub fn ours() -> Ours {
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    let options = incumbent_leader_server::Options {
        data_dir: Some(data.path().to_owned()),
        max_connections_per_address: 0,
        words: vec!["*".to_owned()],
        machine: machine::Options {
            fade_interval: Duration::from_secs(1_000_000),
            ..machine::Options::default()
        },
        ..incumbent_leader_server::Options::local()
    };
    let (stop, stopped) = oneshot::channel();
    let (tell, told) = mpsc::channel();
    // A runtime of its own, so that many scripts do not slow it down.
    let serve = move || {
        let runtime = Runtime::new().expect("a runtime can be built");
        runtime.block_on(async {
            let server = Server::bind(options).await.expect("the server starts");
            let address = server.addresses()[0].to_string();
            tell.send(address).expect("the test waits for it");
            let shutdown = async { drop(stopped.await) };
            server.run(shutdown).await.expect("the server serves");
        });
    };
    std::thread::spawn(serve);
    Ours {
        address: told.recv().expect("the server tells where it listens"),
        _stop: stop,
        _data: data,
    }
}

impl Ours {
    /// The address of the server.
    pub fn address(&self) -> &str {
        &self.address
    }
}
