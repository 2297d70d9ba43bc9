//! A raw client of the ZooKeeper protocol that hides nothing, for tests and benchmarks of servers.
//!
//! It sends any bytes under any number, and returns every frame in the order in which it came. It
//! never reconnects, never pings by itself, spawns no task and keeps no timer. Start with
//! [`Probe`].
//!
//! ```no_run
//! # async fn example() -> Result<(), incumbent_zk_probe::Error> {
//! use incumbent_zk_probe::{Frame, Probe, new_session};
//! use incumbent_zk_proto::Request;
//!
//! let mut probe = Probe::connect("127.0.0.1:2181", &new_session(30_000)).await?;
//!
//! // One after the other; events that come before the reply wait in `take_events`.
//! let reply = probe.call(&Request::Exists { path: "/", watch: true }).await?;
//! println!("{:?}", reply.response()?);
//!
//! // Pipelined, frame by frame.
//! for _ in 0..3 {
//!     probe.send(&Request::WhoAmI).await?;
//! }
//! while probe.in_flight() > 0 {
//!     match probe.receive().await? {
//!         Frame::Reply(reply) => println!("{} {:?}", reply.xid, reply.result),
//!         Frame::Event(event) => println!("{:?}", event.event),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod error;
mod frame;
mod handshake;
mod probe;
mod wire;
mod word;

pub use error::Error;
pub use frame::{Event, Frame, Reply};
pub use handshake::{again, new_session};
pub use probe::Probe;
pub use word::four_letter_word;
