//! Files as sources and sinks of streams: NDJSON, CSV and Parquet, in directories and in buckets.
//!
//! | what | how often | how |
//! |---|---|---|
//! | a source, `file:///…` or `s3://…` | each record once | the position in each file is a part of the checkpoint; a restart seeks there |
//! | a sink, `file:///…` | once | files are hidden, and synced before the checkpoint is acknowledged; a hard link publishes them when it is committed |
//! | a sink, `s3://…` | once | an upload in parts that is whole before the checkpoint is acknowledged; it is completed when the checkpoint is committed. Nobody sees it before |
//!
//! ```
//! use incumbent_stream_files::{FileSet, Files};
//! # #[derive(serde::Serialize, serde::Deserialize)] struct Bid { auction: u64, price: u64 }
//!
//! // One description serves for a source and for a sink.
//! let bids: FileSet<Bid> = Files::ndjson("file:///data/bids/*.ndjson");
//! let sums: FileSet<Bid> = Files::csv("/data/sums");
//! # let _ = (bids, sums);
//! ```
//!
//! # Where
//!
//! | url | a source reads | a sink writes |
//! |---|---|---|
//! | `/data/bids`, `data/bids`, `file:///data/bids` | the files of a directory, or one file | files of this directory, which is made |
//! | `file:///data/bids/*.ndjson` | those that match: `*` is any text, `?` one character | |
//! | `s3://bucket/prefix` | the objects below `prefix/`, or one object | objects below `prefix/` |
//! | `s3://bucket/prefix/*.ndjson` | those that match | |
//!
//! All machines of the cluster have to see the same directory. Files whose names begin with `.` or
//! `_` are left out, and so are directories in directories. A bucket needs the cargo feature `s3`,
//! and its settings come from the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
//! `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP=true` for an endpoint without TLS. Parquet
//! needs the feature `parquet`.
//!
//! # Reading
//!
//! Each file is a split. A rank reads its files side by side, in the order of event time. A file
//! has to be whole when it appears (write it elsewhere, and rename it), and must not be changed
//! afterwards: it ends where it ends when it is read. What is appended later is not read.
//!
//! - A source looks once, and ends when it has read all files. With
//!   [`watch`](FileSet::watch) it looks again and again, and never ends.
//! - **NDJSON**: a line is a record. The last one needs no newline. CRLF, empty lines and a byte
//!   order mark are fine. **CSV**: the first record names the fields. A field in quotes may hold
//!   newlines. Files of both whose names end with `.gz` are unpacked; a restart unpacks them from
//!   their beginning.
//! - **Parquet** is read by row; the columns are found by the names of serde's fields.
//! - A record that is not understood ends the job. The error has the file, the line, the offset and
//!   the reason of serde. With [`skip_bad`](FileSet::skip_bad) it is counted and left out.
//! - A record longer than [`LONGEST_RECORD`] ends the job.
//!
//! Positions are JSON in the checkpoint: `{"offset":8192,"line":97}`, of Parquet `{"row":4096}`.
//!
//! # Writing
//!
//! There is one file per rank and checkpoint, if there was anything to write:
//!
//! | where | name |
//! |---|---|
//! | a directory | `part-<sink>-<rank>-<checkpoint>.ndjson` (or `.csv`, `.parquet`) |
//! | the same, of the end of the input | `part-<sink>-<rank>-last-<job>-<attempt>.ndjson` |
//! | a bucket | `part-<sink>-<rank>-<job>-<attempt>-<n>.ndjson` |
//!
//! The name of the sink has 1 to 64 letters, digits, `-` and `_`. Files may be taken away once a
//! *later* checkpoint is committed. A Parquet file has as many row groups as 16 MiB of memory make;
//! one upload has at most 10,000 parts of 8 MiB.
//!
//! - Where a directory has output of another job under the same names, the attempt fails, and
//!   nothing is replaced: give each job a directory of its own. Without a cluster, names are the
//!   same in each run: output of an earlier run is refused at start.
//! - A directory has to be on a file system with hard links: this is tried at start.
//! - The parts of an upload that no checkpoint knows, after a kill -9, stay in the bucket until a
//!   rule of it aborts them (`AbortIncompleteMultipartUpload`). Its time has to be longer than a
//!   job is ever down: seven days is a good choice.
//!
//! Start reading in `files.rs`; inside, at `reader.rs` and `writer.rs`.

mod bad;
#[cfg(feature = "s3")]
mod bucket;
mod cut;
mod encode;
mod error;
mod files;
mod gzip;
mod look;
#[cfg(feature = "parquet")]
mod parquet;
mod pattern;
mod place;
mod position;
mod reader;
mod text;
mod window;
mod writer;

pub use error::Error;
pub use files::{FileSet, Files};
pub use reader::FileReader;
pub use window::LONGEST_RECORD;
pub use writer::FileWriter;
