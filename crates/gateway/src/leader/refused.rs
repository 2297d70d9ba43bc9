//! What a leader of HTTP/2 says that it did not process: [`refused`].

use std::error::Error as _;

/// How a leader said that it did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It takes no more requests on this connection.
    GoneAway,
    /// It did not take this one.
    Stream,
}

/// Whether the leader has said that it did nothing with a request (RFC 9113, 8.7): it refused the
/// stream, or went away before it.
pub(crate) fn refused(error: &hyper::Error) -> Option<Refused> {
    let said = error.source()?.downcast_ref::<h2::Error>()?;
    match said.is_remote() {
        true if said.is_go_away() => Some(Refused::GoneAway),
        true if said.is_reset() && said.reason() == Some(h2::Reason::REFUSED_STREAM) => {
            Some(Refused::Stream)
        }
        _ => None,
    }
}
