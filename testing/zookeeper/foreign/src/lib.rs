//! Runs clients of others on this project's server.
//!
//! There is no code here, only programs that use clients of others, and the tests that run them:
//!
//! - `kazoo/`: Python; one file per topic.
//! - `curator/`: Java, on Curator's recipes and the ZooKeeper client below them; one file per
//!   topic.
//! - `zkcli/`: sessions of `zkCli.sh`: the input, and the expected output.
//! - `flink/`: unmodified Apache Flink; run it by hand, see `run` there.
//!
//! `tests/it` runs each topic on a server of its own. `.ci/servers`, which `./test` calls first,
//! installs what they need. A test whose client is not installed prints that it is skipped, or
//! fails if `INCUMBENT_REQUIRE_FOREIGN` is set. To test another server:
//!
//! ```sh
//! INCUMBENT_FOREIGN_ADDRESS=127.0.0.1:2181 cargo test -p incumbent-foreign
//! ```
//!
//! To check the claims themselves on a real ZooKeeper:
//!
//! ```sh
//! cargo test -p incumbent-foreign -- --ignored
//! ```
