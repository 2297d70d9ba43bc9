//! Foreign clients of the ZooKeeper protocol, tried on our server.
//!
//! There is no code here, only programs of others' making and the tests that run them:
//!
//! - `kazoo/`: Python; one file per topic.
//! - `curator/`: Java, on Curator's recipes and the ZooKeeper client below them; one file per
//!   topic.
//! - `zkcli/`: sessions of `zkCli.sh`; what is typed, and what is printed.
//! - `flink/`: Apache Flink as it is; by hand, see its `run`.
//!
//! `tests/it` runs each topic on a server of its own. What they need is installed by `.ci/servers`,
//! which `./test` calls first; what is absent is skipped aloud, or fails if
//! `INCUMBENT_REQUIRE_FOREIGN` is set. To try another server:
//!
//! ```sh
//! INCUMBENT_FOREIGN_ADDRESS=127.0.0.1:2181 cargo test -p incumbent-foreign
//! ```
//!
//! And to see that a real ZooKeeper passes, so that the claims are true ones:
//!
//! ```sh
//! cargo test -p incumbent-foreign -- --ignored
//! ```
