//! Who leads a component.

use serde::Serialize;

use super::error::{DecodeError, shortened};
use crate::java::{self, Content, Value, modified_utf8};
use crate::session_id::SessionId;

/// Who leads a component, and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Leader {
    /// The id of its grant of leadership.
    pub session: SessionId,
    /// A URL: of HTTP for the REST server, of Flink's RPC for the others.
    pub address: String,
}

/// Decodes the leader in a znode `connection_info`: an object stream with a string, as `writeUTF`
/// writes it, and a `java.util.UUID`. `None` if the node has no bytes, or says that nobody leads.
///
/// # Errors
///
/// [`DecodeError`] if it is anything else.
pub fn connection_info(bytes: &[u8]) -> Result<Option<Leader>, DecodeError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let graph = java::read(bytes)?;
    let mut blocks = Vec::new();
    let mut contents = graph.contents.iter();
    let session = loop {
        match contents.next() {
            // A long address fills several blocks.
            Some(Content::Block(block)) => blocks.extend_from_slice(block),
            Some(Content::Value(value)) => break *value,
            None => return Err(DecodeError::Missing("session id")),
        }
    };
    let address = utf(&blocks).ok_or(DecodeError::Missing("address"))?;
    if session == Value::Null {
        return Ok(None);
    }
    let id = graph.object(session);
    let id = id.filter(|object| object.class() == "java.util.UUID");
    let id = id.ok_or(DecodeError::Missing("session id"))?;
    let half = |name| id.long(name).ok_or(DecodeError::Missing("session id"));
    let (most, least) = (half("mostSigBits")?, half("leastSigBits")?);
    Ok(Some(Leader {
        session: SessionId::of_halves(most.cast_unsigned(), least.cast_unsigned()),
        address,
    }))
}

/// A string as `writeUTF` writes it.
fn utf(block: &[u8]) -> Option<String> {
    let (length, text) = block.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    modified_utf8(text.get(..length)?)
}

/// Decodes the leader in a ConfigMap since 1.15: `UUID,address`. `None` if the value is empty.
///
/// # Errors
///
/// [`DecodeError`] if it is anything else. Flink itself then acts as if nobody led.
pub fn leader_value(text: &str) -> Result<Option<Leader>, DecodeError> {
    if text.is_empty() {
        return Ok(None);
    }
    let (session, address) = text
        .split_once(',')
        .ok_or(DecodeError::Missing("address"))?;
    leader_values(session, address)
}

/// Decodes the leader in a ConfigMap before 1.15, where it takes two values.
///
/// # Errors
///
/// [`DecodeError`] if the session is not a UUID, or the address is empty.
pub fn leader_values(session: &str, address: &str) -> Result<Option<Leader>, DecodeError> {
    let session = session
        .parse()
        .map_err(|_| DecodeError::Session(shortened(session)))?;
    if address.is_empty() {
        return Err(DecodeError::Missing("address"));
    }
    Ok(Some(Leader {
        session,
        address: address.to_owned(),
    }))
}
