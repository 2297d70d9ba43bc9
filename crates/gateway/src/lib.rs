//! Any node answers: an HTTP reverse proxy to the leader.
//!
//! ```text
//!   clients ──► client/server.rs ──► forward.rs ──► leader/attempt.rs ──► the leader of the present term
//!               connections, limits  │  ▲   │ ▲     leader/target.rs: connections
//!                                    ▼  │   ▼ │
//!      decide/route.rs: send, hold, refuse  hold.rs: where a held request waits
//!      decide/repeat.rs: may it be sent again?    ▲ wakes it
//!      headers/: what is passed on          leader/board.rs ◄── Observer: who leads
//!
//!   clients ◄── answer/body.rs ◄── answer/pass_on.rs ◄── the head of an answer
//! ```
//!
//! A client reaches any gateway, under any name, and is never sent elsewhere. [`Gateway`] is the
//! process of its own; [`Handle`] and [`NodeLayer`] are for use inside a node, which answers
//! itself what it can.
//!
//! # What it guarantees
//!
//! - **A request that may not be repeated reaches at most one node that may process it.** One that
//!   was sent and not answered is sent again only if its method is idempotent (RFC 9110, 9.2.2) or
//!   it has an `Idempotency-Key`, and if the beginning of its body was kept; at most [`MOST_SENT`]
//!   times. Otherwise the client gets one [`Problem`] which says that the request may have been
//!   carried out.
//! - What was *not* sent, or was answered with 421 and an [`EPOCH`], is not lost by a change of
//!   leader, whatever its method: it is held until somebody can be asked, within the limits below,
//!   and held requests are woken in the order in which they began to wait. HTTP/2 counts as not
//!   sent what the leader refused, or went away before.
//! - An answer of up to 64 KiB that says how long it is reaches its client whole, or the client
//!   gets a [`Problem`] in its place ([`Limits::whole_answer`]).
//! - A longer answer that has begun is never begun again. If it breaks off, the client can tell
//!   that it is not whole: the connection is closed (HTTP/1.1) or the stream reset (HTTP/2).
//! - A client that is owed an answer gets one, also at the end of a shutdown.
//! - A leader that has just appeared gets four requests at first, and one more with each answer.
//! - Every request that is passed on says in `Incumbent-Epoch` which term's leader is meant. What a
//!   client says there is dropped.
//! - No header or body that is made here names an internal address. A `Location` that names the
//!   node by its own is made relative.
//! - One request in is one request out: lengths are written anew, and what could be read in two
//!   ways is refused.
//!
//! # What it does not
//!
//! - **At most once is not exactly once.** After a problem with `"processed":"unknown"` only the
//!   application knows.
//! - A leader that knows nothing of epochs may answer after its term, as it does without a gateway.
//!   [`NodeLayer`] is the remedy, or to compare `Incumbent-Epoch` and answer 421 with the own epoch
//!   in that field if nothing was done, and 503 with [`TERM_ENDED`] if the term ended meanwhile.
//! - A server may close an idle connection in the moment in which a request is written to it. That
//!   costs an idempotent request nothing, and another one its answer; it is made unlikely by using
//!   only connections that were used within the last second. With HTTP/2 a server says what it has
//!   not processed, unless its connection breaks without a word; connections that were heard of
//!   within the last second are used then too, or any if all that may be are in use.
//! - A gateway that is itself cut off from the records for as long as a lease sees no leader any
//!   more, and holds what comes, even if the leader is well. With [`Gateway::following`] the views
//!   decide.
//! - WebSockets, and answers that do not say how long they are, break when their leader dies, and
//!   are ended [`Times::outlived`] after somebody else leads: also those that would have come to an
//!   end by themselves. An answer of known length is only ended if nothing comes of it for
//!   [`Times::stall`].
//! - A client that closes its half of a connection is taken for gone: what it asked for is given
//!   up.
//! - A client that waits for `100 Continue` is told to go on when its request is sent, not when the
//!   leader says so.
//! - Only WebSockets are upgraded, over HTTP/1.1 only. Extended `CONNECT` of HTTP/2 is refused
//!   (405), as `CONNECT` is.
//! - Requests that HTTP itself forbids are answered by the library below, with a bare 400, 414 or
//!   431. The access log has them, with the address of the client and the status. So it has a head
//!   that came too slowly, as 408, though its connection is closed without an answer.
//! - Early hints (103) are passed on between HTTP/1.1 and HTTP/1.1 only: the library below has no
//!   way for them in HTTP/2. Trailers are passed on in all directions, but not to clients of
//!   HTTP/1.1 that do not accept them (`TE: trailers`), nor from a body with a `Content-Length`
//!   to HTTP/1.1.
//!
//! # Limits
//!
//! | what | default | when it is reached |
//! |---|---|---|
//! | held: time, number | 30 s, 1024 | 503 `no-leader` or whatever is missing; 503 `too-many-held` |
//! | requests at a time | 10 000 | 503 `too-busy` |
//! | kept of a body, of all bodies | 64 KiB, 64 MiB | it streams on, and is not repeated |
//! | an answer that is read whole, all of them | 64 KiB, 64 MiB | it streams on, and may break off |
//! | connections of clients | 10 000 | more wait to be accepted |
//! | head of a request: size, fields, time | 64 KiB, 100, 60 s | 431; closed |
//! | body of a request | none | 413 |
//! | a body that does not arrive, an answer that is not read | 60 s | 408; closed, or reset on HTTP/2 |
//! | connecting to an address of the leader | 2 s, TLS and the greeting of HTTP/2 as long again | the next address, then held |
//! | addresses of a name | 8, one each 250 ms | the rest is not tried |
//! | waiting for a connection | 30 s, as held | 503 `unreachable`; 503 `too-busy` if all of HTTP/2 are full |
//! | connections of HTTP/2 to the leader, requests on each | 16; 128, or what the leader allows | they wait |
//! | first byte of an answer; a body that the leader does not read | 60 s | 504 |
//! | head of an answer | 64 KiB, and 100 fields over HTTP/1.1 | 502 `answer-too-large` |
//! | trailers of a body | 16 KiB, 100 fields | 400 `bad-body`; an answer breaks off |
//! | interim answers that wait | 16 KiB | dropped |
//! | silence of an answer, a request in all | none | the answer is cut off |
//! | requests at a time on a connection of HTTP/2 | 128 | as HTTP/2 has it |
//! | addresses of an endpoint | [`MOST_ADDRESSES`] | the rest is not tried |
//! | gateways and proxies on the way | 16 | 508 |
//! | shutting down | 10 s | what waits is answered 1 s before; what is left is cut |
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use incumbent_gateway::{Gateway, Options};
//!
//! let store = incumbent::open("memory:").await?;
//! let group = store.group("demo")?;
//! let gateway = Gateway::new(&group, Options::to("web".parse()?))?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! println!("http://{}/ leads to the leader", listener.local_addr()?);
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let serving = tokio::spawn(gateway.run([listener.into()], async { stopped.await.unwrap_or(()) }));
//! drop(stop);
//! serving.await?;
//! # Ok(()) }
//! ```
//!
//! # Inside of a node
//!
//! ```
//! # async fn example(group: incumbent::Group, leadership: incumbent::Leadership) -> Result<(), Box<dyn std::error::Error>> {
//! use incumbent_gateway::{Gateway, NodeLayer, Options, Role};
//!
//! let gateway = Gateway::new(&group, Options::to("web".parse()?))?;
//! let role = Role::default();
//! let led = axum::Router::new()
//!     .route("/jobs", axum::routing::get(async || "only the leader knows"))
//!     .layer(NodeLayer::new(role.clone()).pass_on(gateway.handle()));
//! let routes: axum::Router = led.route("/about", axum::routing::get(async || "any node knows"));
//!
//! // Before it is activated, so that the first request finds it so.
//! role.leads(leadership.guard());
//! leadership.activate().await?;
//! # drop(routes); Ok(()) }
//! ```
//!
//! Start reading in `decide/route.rs`, then `forward.rs`, `leader/attempt.rs` and
//! `answer/pass_on.rs`.

mod answer;
mod client;
mod decide;
mod files;
mod forward;
mod gateway;
mod headers;
mod hold;
mod lanes;
mod leader;
mod node;
mod options;
mod request;
mod shared;
mod stream;
mod tcp;
mod tls;
pub mod worker;

pub use answer::body::Answer;
pub use client::listener::Listener;
pub use decide::endpoint::{BadUpstream, MOST_ADDRESSES, Upstream};
pub use decide::problem::{Problem, RETRY_AFTER_SECONDS};
pub use decide::repeat::IDEMPOTENCY_KEY;
pub use decide::route::MOST_SENT;
pub use files::{Assets, Files, FilesError, FilesLayer, WithFiles};
pub use gateway::{Gateway, Handle, Status};
pub use headers::fields::{EPOCH, TERM_ENDED};
pub use incumbent_tls::TlsError;
pub use ipnet::IpNet;
pub use lanes::Lanes;
pub use node::{Node, NodeBody, NodeLayer, Role};
pub use options::{Limits, Options, ServerTls, Times, UpstreamHttp, UpstreamTls};
pub use request::client::Peer;
pub use request::report::{ACCESS, describe_metrics};
pub use tcp::{
    TCP_ACCESS, TcpGateway, TcpHandle, TcpLimits, TcpOptions, TcpStatus, TcpTimes,
    describe_tcp_metrics,
};
