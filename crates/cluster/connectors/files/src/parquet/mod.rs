//! Parquet, by the crates of the Arrow project; serde's types become columns by `serde_arrow`.

mod read;
mod write;

use arrow_array::RecordBatch;
use incumbent_stream::{Batch, BoxError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::encode::Encode;
pub(crate) use read::Rows;
use write::RowWriter;

/// What is known of a type of records in Parquet.
pub(crate) struct Parquet<T> {
    pub(crate) decode: fn(&RecordBatch, &mut Batch<T>) -> Result<(), BoxError>,
    pub(crate) encoder: fn() -> Box<dyn Encode<T>>,
}

impl<T: Serialize + DeserializeOwned + 'static> Parquet<T> {
    pub(crate) fn of() -> Self {
        Self {
            decode: read::decode,
            encoder: || Box::new(RowWriter::default()),
        }
    }
}

impl<T> Clone for Parquet<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Parquet<T> {}
