//! HTTP requests as a sink of streams: each record at least once, with a key that tells a
//! repetition.
//!
//! ```no_run
//! # #[derive(serde::Serialize)]
//! # struct Alert { host: String }
//! use incumbent_stream_http::Http;
//!
//! # fn sink<T, S: incumbent_stream::Sink<T>>(_: S) {}
//! let alerts = Http::post("https://alerts.example/v1/alerts")
//!     .header_file("Authorization", "/run/secrets/alerts")
//!     .in_flight(8);
//! # sink::<Alert, _>(alerts);
//! ```
//!
//! Each record is a POST with a JSON body; with [`Http::batch`], several are an array. A request
//! has the header
//!
//! ```text
//! Idempotency-Key: 3f0c…/alerts/0/2/17/5     job / sink / rank / attempt / batch / request
//! ```
//!
//! # At least once, and once with keys
//!
//! Records wait in the checkpoints of the job until theirs is committed
//! ([`outbox`](incumbent_stream::outbox)), and are sent then. So nothing is sent that a restart
//! would compute otherwise, and the same output has the same key whenever it is sent, by whichever
//! attempt, with any number of ranks.
//!
//! | what happens | what comes of it |
//! |---|---|
//! | killed before the commit of the checkpoint | nothing was sent; the next attempt computes the records anew |
//! | killed after it | the next attempt sends the batch, with the same keys; what was sent before is sent again |
//! | the answer is lost, or late | the request is sent again, with the same key |
//! | an old attempt was paused and goes on | it may send what a newer one has sent, with the same keys |
//! | the checkpoint is aborted | its records go with the next one |
//! | the server is out: no connection, 408, 425, 429, 5xx | the sink waits (`Retry-After`, or 50 ms to 5 s) and tries again; checkpoints go on and hold the records, up to 64 MiB, then sources stop |
//! | the server's certificate is refused | nothing is sent; the attempt fails and says what to do: [`Http::ca`] names a CA of your own |
//! | any other status | the attempt fails and shows the beginning of the answer; or see [`Http::skip_refused`] |
//!
//! A server that ignores the key sees some records twice. One that remembers the keys of a day or
//! so sees each once.
//!
//! # Order
//!
//! With [`in_flight(1)`](Http::in_flight), the requests of a rank come in the order of its records;
//! after a failure some come again. With more, requests of one checkpoint overtake each other.

mod carrier;
mod error;
mod http;
mod request;

pub use error::Error;
pub use http::Http;
