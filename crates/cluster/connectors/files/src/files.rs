//! [`Files`] makes a [`FileSet`], which describes files as a source or a sink.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use incumbent_stream::{At, BoxError, Sink, Source, Staged};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::encode::{Csv, Encode, Ndjson};
#[cfg(feature = "parquet")]
use crate::parquet::Parquet;
use crate::place::Place;
use crate::text::Kind;
use crate::{FileReader, FileWriter};

/// Makes descriptions of files.
#[derive(Debug)]
pub enum Files {}

impl Files {
    /// Files of JSON, one record a line.
    pub fn ndjson<T>(url: impl Into<String>) -> FileSet<T> {
        FileSet::new(url.into(), Format::Text(Kind::Ndjson))
    }

    /// Files of comma-separated values, as RFC 4180 says. The first record names the fields.
    pub fn csv<T>(url: impl Into<String>) -> FileSet<T> {
        let kind = Kind::Csv { delimiter: b',' };
        FileSet::new(url.into(), Format::Text(kind))
    }

    /// Files of Parquet. Columns have the names and types of serde's fields; compressed by Snappy
    /// when they are written, by Snappy or gzip when they are read. For Zstandard, LZ4 and Brotli,
    /// have the features of the crate `parquet` of the same name in your job.
    #[cfg(feature = "parquet")]
    pub fn parquet<T>(url: impl Into<String>) -> FileSet<T>
    where
        T: Serialize + DeserializeOwned + 'static,
    {
        FileSet::new(url.into(), Format::Parquet(Parquet::of()))
    }
}

/// Files of one format in one place, as a source or as a sink: made by [`Files`]. Nothing is opened
/// before the job runs.
pub struct FileSet<T> {
    pub(crate) url: String,
    pub(crate) format: Format<T>,
    pub(crate) watched: Option<Duration>,
    pub(crate) skips_bad: bool,
    /// Instead of the environment.
    pub(crate) settings: Option<Vec<(String, String)>>,
    record: PhantomData<fn() -> T>,
}

/// How records are in files.
pub(crate) enum Format<T> {
    Text(Kind),
    #[cfg(feature = "parquet")]
    Parquet(Parquet<T>),
    #[expect(
        dead_code,
        reason = "without Parquet, no format knows the type of its records"
    )]
    Never(PhantomData<fn() -> T>),
}

impl<T> FileSet<T> {
    fn new(url: String, format: Format<T>) -> Self {
        Self {
            url,
            format,
            watched: None,
            skips_bad: false,
            settings: None,
            record: PhantomData,
        }
    }

    /// As a source, looks again for new files after each such time, and never ends.
    #[must_use]
    pub fn watch(mut self, every: Duration) -> Self {
        self.watched = Some(every);
        self
    }

    /// As a source, looks for files once, and ends when they have been read. This is what it does
    /// unless [`watch`](Self::watch) says otherwise.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.watched = None;
        self
    }

    /// As a source, leaves out records that are not understood. Each is counted in the position of
    /// its file (`"skipped"`), and the first ten have a log line. A row of Parquet is never left
    /// out.
    #[must_use]
    pub fn skip_bad(mut self) -> Self {
        self.skips_bad = true;
        self
    }

    /// Fields of CSV are divided by this byte instead of a comma.
    #[must_use]
    pub fn delimiter(mut self, byte: u8) -> Self {
        if let Format::Text(Kind::Csv { delimiter }) = &mut self.format {
            *delimiter = byte;
        }
        self
    }

    /// The settings of a bucket, `AWS_…`, instead of those of the environment.
    #[cfg(feature = "s3")]
    #[must_use]
    pub fn settings(mut self, settings: Vec<(String, String)>) -> Self {
        self.settings = Some(settings);
        self
    }

    /// How names of what a sink writes end.
    pub(crate) fn extension(&self) -> &'static str {
        match &self.format {
            Format::Text(Kind::Ndjson) => "ndjson",
            Format::Text(Kind::Csv { .. }) => "csv",
            #[cfg(feature = "parquet")]
            Format::Parquet(_) => "parquet",
            Format::Never(_) => "",
        }
    }
}

impl<T: Serialize + Send + 'static> FileSet<T> {
    fn encoder(&self) -> Box<dyn Encode<T>> {
        match &self.format {
            Format::Text(Kind::Ndjson) => Box::new(Ndjson),
            Format::Text(Kind::Csv { delimiter }) => Box::new(Csv::new(*delimiter)),
            #[cfg(feature = "parquet")]
            Format::Parquet(parquet) => (parquet.encoder)(),
            Format::Never(_) => unreachable!("nobody makes it"),
        }
    }
}

impl<T: DeserializeOwned + 'static> Source for FileSet<T> {
    type Record = T;
    type Reader = FileReader<T>;

    fn open(&self, at: &At, positions: BTreeMap<String, Value>) -> Result<Self::Reader, BoxError> {
        let place = Place::parse(&self.url)?;
        Ok(FileReader::open(self, place, at, positions)?)
    }
}

impl<T: Serialize + Send + 'static> Sink<T> for FileSet<T> {
    type Writer = FileWriter<T>;

    fn open(&self, at: &At, staged: Vec<Staged>) -> Result<Self::Writer, BoxError> {
        let place = Place::parse(&self.url)?;
        FileWriter::open(self, self.encoder(), &place, at, staged)
    }
}

impl<T> Clone for Format<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Format<T> {}

impl<T> Clone for FileSet<T> {
    fn clone(&self) -> Self {
        Self {
            url: self.url.clone(),
            settings: self.settings.clone(),
            ..*self
        }
    }
}

impl<T> fmt::Debug for FileSet<T> {
    /// Without settings: they may have secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSet")
            .field("url", &self.url)
            .field("format", &self.extension())
            .field("watched", &self.watched)
            .field("skips_bad", &self.skips_bad)
            .finish_non_exhaustive()
    }
}
