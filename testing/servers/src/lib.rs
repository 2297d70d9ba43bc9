//! Starts servers of others for tests, benchmarks and comparisons: [`etcd`], [`zookeeper`],
//! [`postgres`] and [`moto`], which speaks S3.
//!
//! Each is a process on 127.0.0.1 with its own ports and a temporary directory. It ends when its
//! value is dropped, and also when the process that started it dies for any reason. If a server is
//! not installed, tests report that they are skipped.
//!
//! ```no_run
//! use incumbent_servers::zookeeper::{Options, ZooKeeper};
//!
//! let Some(server) = ZooKeeper::start(Options::default().config("tickTime=500")) else { return };
//! println!("{}", server.address());
//! server.kill();
//! server.restart();
//! ```
//!
//! The common part of all is in [`Running`]. [`Proxy`] is a network to a server that a test can
//! interrupt.

pub mod etcd;
pub mod moto;
mod ports;
pub mod postgres;
mod process;
mod proxy;
mod running;
pub mod zookeeper;

pub use ports::free_port;
pub use proxy::{Mode, Proxy};
pub use running::{Running, skip};
