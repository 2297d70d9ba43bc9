//! [`Rows`]: a Parquet file that is being read.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use arrow_array::RecordBatch;
use incumbent_stream::{Batch, BoxError, Read, Waker};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;
use serde::de::DeserializeOwned;

use super::Parquet;
use crate::Error;
use crate::position::RowPosition;

/// How many rows make a batch.
const BATCH_ROWS: usize = 1024;

/// How many batches a thread that fetches is ahead.
const AHEAD: usize = 2;

/// A file that is open.
pub(crate) enum Rows {
    /// A file of this machine: the worker reads it.
    Here(ParquetRecordBatchReader),
    /// An object: a thread fetches it.
    There(Receiver<Result<RecordBatch, Error>>),
}

impl Rows {
    /// Opens a file to go on at a position.
    pub(crate) fn open(
        file: &str,
        input: impl ChunkReader + 'static,
        position: RowPosition,
    ) -> Result<Self, Error> {
        Ok(Self::Here(open(file, input, position)?))
    }

    /// Begins to fetch an object from a position on.
    #[cfg(feature = "s3")]
    pub(crate) fn fetch(
        file: String,
        input: crate::bucket::RandomAccess,
        position: RowPosition,
        waker: &Waker,
    ) -> Self {
        let (send, receive) = sync_channel(AHEAD);
        let waker = waker.clone();
        let fetch = move || {
            if let Err(error) = fetch(&file, input, position, &send, &waker) {
                let _ = send.send(Err(error));
            }
            drop(send);
            waker.wake();
        };
        let thread = thread::Builder::new().name("files-parquet".to_owned());
        // If there is no thread, the sender is dropped, and the file seems to have ended. So that
        // must be an error.
        let (failed, ended) = sync_channel(1);
        match thread.spawn(fetch) {
            Ok(_) => Self::There(receive),
            Err(error) => {
                let _ = failed.send(Err(Error::Read {
                    file: "a Parquet object".to_owned(),
                    cause: error.into(),
                }));
                Self::There(ended)
            }
        }
    }

    /// Gives a batch, and moves the position behind it.
    pub(crate) fn read<T>(
        &mut self,
        file: &str,
        parquet: &Parquet<T>,
        position: &mut RowPosition,
        batch: &mut Batch<T>,
    ) -> Result<Read, Error> {
        let rows = match self {
            Self::Here(rows) => rows
                .next()
                .transpose()
                .map_err(|error| failed(file, error))?,
            Self::There(receiver) => match receiver.try_recv() {
                Ok(rows) => Some(rows?),
                Err(TryRecvError::Empty) => return Ok(Read::Waiting),
                Err(TryRecvError::Disconnected) => None,
            },
        };
        let Some(rows) = rows else {
            return Ok(Read::Ended);
        };
        (parquet.decode)(&rows, batch).map_err(|cause| Error::Bad {
            file: file.to_owned(),
            at: format!(
                "rows {} to {}",
                position.row,
                position.row + rows.num_rows() as u64
            ),
            cause,
        })?;
        position.row += rows.num_rows() as u64;
        Ok(Read::More)
    }
}

fn open(
    file: &str,
    input: impl ChunkReader + 'static,
    position: RowPosition,
) -> Result<ParquetRecordBatchReader, Error> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(input);
    let builder = builder.map_err(|error| failed(file, error))?;
    // Whole row groups before the position are not even looked at.
    let mut before = position.row;
    let mut groups = Vec::new();
    for (at, group) in builder.metadata().row_groups().iter().enumerate() {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        if groups.is_empty() && before >= rows {
            before -= rows;
        } else {
            groups.push(at);
        }
    }
    if groups.is_empty() && before > 0 {
        return Err(Error::Shrunk {
            file: file.to_owned(),
            at: format!("row {}", position.row),
        });
    }
    let rows = builder
        .with_row_groups(groups)
        .with_offset(usize::try_from(before).unwrap_or(usize::MAX))
        .with_batch_size(BATCH_ROWS);
    rows.build().map_err(|error| failed(file, error))
}

#[cfg(feature = "s3")]
fn fetch(
    file: &str,
    input: crate::bucket::RandomAccess,
    position: RowPosition,
    send: &SyncSender<Result<RecordBatch, Error>>,
    waker: &Waker,
) -> Result<(), Error> {
    let input = input
        .look()
        .map_err(|error: ParquetError| failed(file, error))?;
    for rows in open(file, input, position)? {
        let rows = rows.map_err(|error| failed(file, error))?;
        if send.send(Ok(rows)).is_err() {
            return Ok(());
        }
        waker.wake();
    }
    Ok(())
}

fn failed(file: &str, cause: impl Into<BoxError>) -> Error {
    Error::Read {
        file: file.to_owned(),
        cause: cause.into(),
    }
}

/// Makes records of rows.
pub(super) fn decode<T: DeserializeOwned>(
    rows: &RecordBatch,
    batch: &mut Batch<T>,
) -> Result<(), BoxError> {
    let records: Vec<T> = serde_arrow::from_record_batch(rows)?;
    let each = rows.get_array_memory_size() / records.len().max(1);
    for record in records {
        batch.push(record, each);
    }
    Ok(())
}
