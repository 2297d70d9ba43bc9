//! A test double of S3: objects, uploads in parts, copies, listings and conditional creation, in
//! memory, with faults on demand.
//!
//! It answers what the blobs of a cluster ask, under `http://127.0.0.1:PORT/BUCKET/KEY`. It checks
//! that a request says who sends it ([`ACCESS_KEY`]), and not the signature. There are no versions,
//! no regions, no rights and no TLS. Every bucket that is named exists, but `missing`.
//!
//! ```no_run
//! use incumbent_s3_double::{Act, Double, Fault, How, Options};
//!
//! let double = Double::start(Options::default());
//! println!("{}", double.url());
//! // The first answer to a PUT is lost.
//! double.inject(Fault { on: Some(Act::Put), skip: 0, times: Some(1), how: How::CutAfter });
//! ```
//!
//! Start reading at [`Double`]; inside, at `serve.rs`, which has the way of one request.

mod ask;
mod bucket;
mod double;
mod fault;
mod serve;
mod xml;

pub use ask::Act;
pub use double::{Double, Options};
pub use fault::{Fault, How};

/// The only key that it knows. Its secret is not checked.
pub const ACCESS_KEY: &str = "double";

/// The bucket that is not there.
pub const MISSING: &str = "missing";
