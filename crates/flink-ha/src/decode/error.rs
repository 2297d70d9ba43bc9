//! Why a value cannot be decoded.

use crate::java::JavaError;

/// Why a value cannot be decoded.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not a Java object stream, or not a whole one.
    #[error("it is not a readable Java object stream: {0}")]
    Java(#[from] JavaError),
    /// The object stream is whole, and lacks a part of the value.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A session id is expected, and this is not a UUID.
    #[error("{0:?} is not a session id")]
    Session(String),
    /// Base64 is expected.
    #[error("it is not base64")]
    Base64,
    /// A number is expected.
    #[error("{0:?} is not the number that belongs here")]
    Number(String),
    /// The JSON of an elector is expected.
    #[error("it is not the JSON that belongs here: {0}")]
    Json(String),
}

/// The beginning of a foreign text, short enough for a message.
pub(crate) fn shortened(text: &str) -> String {
    /// A session id has 36.
    const LONGEST: usize = 60;
    text.chars().take(LONGEST).collect()
}
