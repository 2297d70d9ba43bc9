//! Starts a real etcd for tests, figures and comparisons.
//!
//! It is the program of Debian's package `etcd-server`: a process on 127.0.0.1 with ports of its
//! own and a temporary directory, alone or as one of several. `etcdctl`, of the package
//! `etcd-client`, is at hand as a person would use it. Where they are not installed, tests say that
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
