//! The leader server: a name service for one machine that speaks the ZooKeeper protocol.
//!
//! Programs that know ZooKeeper 3.8 or 3.9 as a standalone server run on it unmodified. It is one
//! process and no ensemble: while it is down, it serves nobody. With a data directory it continues
//! where it was.
//!
//! ```text
//!   connection.rs ──► hub.rs ──► machine/       tree, sessions, watches: pure, behind one lock
//!        ▲               │ log
//!        │               ▼
//!   outbound.rs ◄─── incumbent-journal          nothing is sent before the changes it follows are durable
//! ```
//!
//! Start with [`Server`]. The rules of the tree are in [`machine`], which knows no sockets and no
//! clocks.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use incumbent_leader_server::{Options, Server};
//!
//! let server = Server::bind(Options::local()).await?;
//! println!("zookeeper://{}/", server.addresses()[0]);
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let serving = tokio::spawn(server.run(async { stopped.await.unwrap_or(()) }));
//! drop(stop);
//! serving.await??;
//! # Ok(()) }
//! ```

pub mod machine;
mod server;
mod tls;

pub use incumbent_journal::OpenError;
pub use incumbent_tls::{Identity, ServerFiles, TlsError};
pub use server::{Monitor, Options, Report, ServeError, Server, StartError};
