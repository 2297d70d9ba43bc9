//! [`RowWriter`]: makes Parquet files.

use std::sync::Arc;

use arrow_schema::{FieldRef, Schema};
use incumbent_stream::BoxError;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_arrow::schema::{SchemaLike as _, TracingOptions};

use crate::Error;
use crate::encode::Encode;

/// A row group is written when it has this much in memory.
const ROW_GROUP: usize = 16 * 1024 * 1024;

#[derive(Default)]
pub(crate) struct RowWriter {
    /// The columns, which the type says.
    fields: Option<Vec<FieldRef>>,
    open: Option<ArrowWriter<Vec<u8>>>,
}

impl<T: Serialize + DeserializeOwned> Encode<T> for RowWriter {
    fn encode(&mut self, records: &[T], into: &mut Vec<u8>) -> Result<(), Error> {
        self.write(records, into).map_err(failed)
    }

    fn finish(&mut self, into: &mut Vec<u8>) -> Result<(), Error> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let ended = open.finish();
        ended.map_err(|error| failed(error.into()))?;
        into.append(open.inner_mut());
        Ok(())
    }
}

impl RowWriter {
    fn write<T: Serialize + DeserializeOwned>(
        &mut self,
        records: &[T],
        into: &mut Vec<u8>,
    ) -> Result<(), BoxError> {
        let fields = match &self.fields {
            Some(fields) => fields,
            None => {
                // By the type, so that all files have the same columns.
                let options = TracingOptions::default()
                    .strings_as_large_utf8(false)
                    .sequence_as_large_list(false)
                    .enums_without_data_as_strings(true);
                self.fields
                    .insert(Vec::<FieldRef>::from_type::<T>(options)?)
            }
        };
        let rows = serde_arrow::to_record_batch(fields, &records)?;
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
                let schema = Arc::new(Schema::new(fields.clone()));
                let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties.build()))?;
                self.open.insert(writer)
            }
        };
        open.write(&rows)?;
        if open.in_progress_size() >= ROW_GROUP {
            open.flush()?;
            open.sync()?;
            // The writer counts what it has written, and does not look at it again.
            into.append(open.inner_mut());
        }
        Ok(())
    }
}

fn failed(cause: BoxError) -> Error {
    Error::Encode {
        format: "Parquet",
        cause,
    }
}
