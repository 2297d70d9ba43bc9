//! What the failure of a request says about the leader: that it did nothing ([`refused`]), or that
//! its answer cannot be read ([`unreadable`]).

use std::error::Error as _;

/// How a leader of HTTP/2 said that it did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It takes no more requests on this connection.
    GoneAway,
    /// It did not take this one.
    Stream,
}

/// Why an answer cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Its head has too many bytes or fields.
    TooLarge,
    /// It is no HTTP.
    Malformed,
}

/// Whether the leader answered something that cannot be read.
pub(crate) fn unreadable(error: &hyper::Error) -> Option<Unreadable> {
    if error.is_parse_too_large() {
        return Some(Unreadable::TooLarge);
    }
    if error.is_parse() {
        return Some(Unreadable::Malformed);
    }
    let error = error.source()?.downcast_ref::<h2::Error>()?;
    // The library resets the stream of an answer that it cannot read.
    let is_malformed = error.is_library()
        && error.is_reset()
        && error.reason() == Some(h2::Reason::PROTOCOL_ERROR);
    is_malformed.then_some(Unreadable::Malformed)
}

/// Whether the leader has said that it did nothing with a request (RFC 9113, 8.7): it refused the
/// stream, or went away before it.
pub(crate) fn refused(error: &hyper::Error) -> Option<Refused> {
    let error = error.source()?.downcast_ref::<h2::Error>()?;
    if !error.is_remote() {
        None
    } else if error.is_go_away() {
        Some(Refused::GoneAway)
    } else if error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM) {
        Some(Refused::Stream)
    } else {
        None
    }
}
