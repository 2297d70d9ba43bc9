//! Starts a real ZooKeeper for tests, benchmarks and comparisons.
//!
//! It is Debian's package `zookeeper`, run directly by `java`: a JVM on 127.0.0.1 with its own port
//! and a temporary directory. If it is not installed, tests report that they are skipped; with
//! `INCUMBENT_REQUIRE_ZOOKEEPER` set, they fail.
//!
//! ```no_run
//! use incumbent_servers::zookeeper::{Options, ZooKeeper};
//!
//! let Some(server) = ZooKeeper::start(Options::default().config("tickTime=500")) else { return };
//! println!("{}", server.address());
//! server.kill();
//! server.restart();
//! ```

mod install;
mod options;
mod server;

pub use options::Options;
pub use server::ZooKeeper;
