//! Starts a real PostgreSQL for tests, benchmarks and comparisons.
//!
//! It is the program of Debian's package `postgresql-15`: a process on 127.0.0.1 with its own port
//! and a temporary directory. It refuses to run as root, so for root it runs as the user
//! `postgres`. If it is not installed, tests report that they are skipped; with
//! `INCUMBENT_REQUIRE_FOREIGN` set, they fail.
//!
//! ```no_run
//! use incumbent_servers::postgres::{Options, Postgres};
//!
//! let Some(server) = Postgres::start(Options::default()) else { return };
//! println!("{}", server.config());
//! server.sql("CREATE TABLE t (a int)").unwrap();
//! server.kill();
//! server.restart();
//! ```

mod install;
mod server;

pub use server::{Options, Postgres};
