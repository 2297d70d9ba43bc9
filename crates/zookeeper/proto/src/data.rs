//! Values that several replies hold.

use std::sync::Arc;

use crate::jute::{LENGTH_BYTES, Malformed, Reader};

/// Data of a node. `None` is not the same as empty.
pub type Data = Option<Arc<[u8]>>;

pub(crate) fn read_data(reader: &mut Reader<'_>) -> Result<Data, Malformed> {
    Ok(reader.buffer()?.map(Arc::from))
}

pub(crate) fn read_names(reader: &mut Reader<'_>) -> Result<Vec<Arc<str>>, Malformed> {
    reader.vector(LENGTH_BYTES, |reader| reader.string().map(Arc::from))
}
