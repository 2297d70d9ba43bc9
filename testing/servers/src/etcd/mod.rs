//! Starts a real etcd for tests, benchmarks and comparisons.
//!
//! It is the program of Debian's package `etcd-server`: a process on 127.0.0.1 with its own ports
//! and a temporary directory, alone or as a member of a cluster. `etcdctl`, of the package
//! `etcd-client`, can be called as a person would. If they are not installed, tests report that
//! they are skipped; with `INCUMBENT_REQUIRE_FOREIGN` set, they fail.
//!
//! ```no_run
//! use incumbent_servers::etcd::{Etcd, Options};
//!
//! let Some(server) = Etcd::start(Options::default()) else { return };
//! println!("{}", server.address());
//! server.ctl(&["put", "greeting", "hello"]).unwrap();
//! server.kill();
//! server.restart();
//! ```

mod cluster;
mod install;
mod options;
mod server;

pub use cluster::Cluster;
pub use options::Options;
pub use server::Etcd;
