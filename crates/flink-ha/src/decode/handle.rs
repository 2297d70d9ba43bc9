//! Pointers to what is too large for the store.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::error::DecodeError;
use crate::java::{self, Object};

/// Most wrappers around a handle. Flink uses two: the delete marker, and the one that makes a
/// handle retrievable.
const MOST_WRAPPERS: usize = 8;

/// A pointer to a job graph, an execution plan, an application or a completed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateHandle {
    /// The class of the stored object itself. Flink casts to it, and fails on any other:
    /// `….RetrievableStreamStateHandle` in ZooKeeper,
    /// `….KubernetesStateHandleStore$StateHandleWithDeleteMarker` in ConfigMaps since 1.15.
    pub outermost: String,
    /// The class inside all wrappers:
    /// `org.apache.flink.runtime.state.filesystem.FileStateHandle`.
    pub class: String,
    /// The URI of the file, for a handle of a file; otherwise the name of the handle, if it has
    /// one.
    pub path: Option<String>,
    /// The number of bytes that it points to, if the handle holds it.
    pub size: Option<u64>,
    /// Whether it is marked for deletion. Only values in ConfigMaps have such a mark.
    pub deleting: bool,
}

/// Decodes the handle in a znode: a serialized Java object. It does not look at the file.
///
/// # Errors
///
/// [`DecodeError`] if it is not an object stream that begins with an object.
pub fn state_handle(bytes: &[u8]) -> Result<StateHandle, DecodeError> {
    let graph = java::read(bytes)?;
    let object = graph.first_value().and_then(|value| graph.object(value));
    let mut object = object.ok_or(DecodeError::Missing("state handle"))?;
    let outermost = object.class().to_owned();
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
        outermost,
        class: object.class().to_owned(),
        path: path(object).map(str::to_owned),
        size: size.or(held),
        deleting,
    })
}

/// Decodes the handle in a ConfigMap: the object of [`state_handle`] inside a delete marker, in
/// base64.
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
