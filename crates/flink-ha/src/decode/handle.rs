//! Where something is that is too large for the store.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::DecodeError;
use crate::java::{Graph, Object};

/// Most wrappers around a handle. There are two: the delete marker, and what makes a handle
/// retrievable.
const MOST_WRAPPERS: usize = 8;

/// A pointer to a job graph, an execution plan or a completed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateHandle {
    /// The class of what is inside of all wrappers:
    /// `org.apache.flink.runtime.state.filesystem.FileStateHandle`.
    pub class: String,
    /// The file, if it is one, as a URI; else the name that the handle has, if it has one.
    pub path: Option<String>,
    /// How many bytes there are, if the handle tells.
    pub size: Option<u64>,
    /// Whether it is marked for deletion, which only values in ConfigMaps can tell.
    pub deleting: bool,
}

/// The handle in a znode: a serialized Java object.
///
/// Whether the file is there is not looked at.
///
/// # Errors
///
/// [`DecodeError`] if it is no object stream that begins with an object.
pub fn state_handle(bytes: &[u8]) -> Result<StateHandle, DecodeError> {
    let graph = Graph::read(bytes)?;
    let object = graph.first_value().and_then(|value| graph.object(value));
    let mut object = object.ok_or(DecodeError::Missing("state handle"))?;
    let mut deleting = false;
    for _ in 0..MOST_WRAPPERS {
        deleting |= object.boolean("markedForDeletion") == Some(true);
        let inner = ["inner", "wrappedStreamStateHandle"];
        match inner.into_iter().find_map(|name| object.inner(name)) {
            Some(inner) => object = inner,
            None => break,
        }
    }
    let size = object.long("stateSize");
    let size = size.and_then(|size| u64::try_from(size).ok());
    let held = object.bytes("data").map(|data| data.len() as u64);
    Ok(StateHandle {
        class: object.class().to_owned(),
        path: path(object).map(str::to_owned),
        size: size.or(held),
        deleting,
    })
}

/// As [`state_handle`], in a ConfigMap: in base64, with a delete marker around it.
///
/// # Errors
///
/// [`DecodeError`] if it is not base64, or as [`state_handle`].
pub fn base64_handle(text: &str) -> Result<StateHandle, DecodeError> {
    let bytes = STANDARD.decode(text).map_err(|_| DecodeError::Base64)?;
    state_handle(&bytes)
}

fn path(handle: Object<'_>) -> Option<&str> {
    let uri = handle.inner("filePath").and_then(|path| path.inner("uri"));
    uri.and_then(|uri| uri.text("string"))
        .or_else(|| handle.text("handleName"))
}
