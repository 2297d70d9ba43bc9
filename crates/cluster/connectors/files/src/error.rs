//! [`Error`]: why files cannot be read or written.

use std::io;

use incumbent_stream::BoxError;

/// Why files cannot be read or written. Each of them ends the attempt.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The description of the files is wrong. Mend the job.
    #[error("{url:?} says not where files are: {why}")]
    Url {
        /// As it was given; without what may be a secret.
        url: String,
        /// What is wrong, and what is right.
        why: String,
    },
    /// The files cannot be listed: is the directory there, on each machine?
    #[error("cannot list {url}")]
    List {
        /// Where.
        url: String,
        /// Why.
        #[source]
        cause: BoxError,
    },
    /// A file cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// Which.
        file: String,
        /// Why.
        #[source]
        cause: BoxError,
    },
    /// A record is not understood. Mend the file, or leave such records out by
    /// [`skip_bad`](crate::FileSet::skip_bad).
    #[error("{file}, {at}: the record is not understood")]
    Bad {
        /// The file.
        file: String,
        /// Where in it, for people.
        at: String,
        /// The reason of serde.
        #[source]
        cause: BoxError,
    },
    /// A record is longer than [`LONGEST_RECORD`](crate::LONGEST_RECORD). It may be a file of
    /// another kind, or a quote that is not closed.
    #[error("{file}, {at}: the record is longer than {limit} bytes")]
    TooLong {
        /// The file.
        file: String,
        /// Where in it, for people.
        at: String,
        /// The limit.
        limit: usize,
    },
    /// A file is shorter than what has been read of it. It was replaced; the position in the
    /// checkpoint means nothing any more.
    #[error("{file} ends before {at}, up to which it has been read: it was replaced")]
    Shrunk {
        /// The file.
        file: String,
        /// The position.
        at: String,
    },
    /// The position in the checkpoint is not one of such a file.
    #[error("{file}: the position {position} is not one of such a file")]
    Position {
        /// The file.
        file: String,
        /// As the checkpoint has it.
        position: String,
    },
    /// Records cannot be written in this format. Mend their type.
    #[error("a record cannot be written as {format}")]
    Encode {
        /// The format.
        format: &'static str,
        /// Why.
        #[source]
        cause: BoxError,
    },
    /// Output cannot be written.
    #[error("cannot write to {url}")]
    Write {
        /// Where.
        url: String,
        /// Why.
        #[source]
        cause: BoxError,
    },
    /// The directory has output of an earlier run. Nothing was replaced: remove it, or choose
    /// another directory.
    #[error(
        "{file} is there from an earlier run: remove its files, or choose another place for the output"
    )]
    Taken {
        /// One of its files.
        file: String,
    },
    /// The file system of the directory has no hard links. Use another directory.
    #[error("{dir} cannot hold output: its file system has no hard links")]
    NoLinks {
        /// The directory.
        dir: String,
        /// What was answered.
        #[source]
        cause: io::Error,
    },
    /// What a checkpoint has promised is neither staged nor published. Going on would lose it.
    #[error(
        "{file} is neither staged nor published: was its upload aborted by a rule of the bucket, or \
         the object taken away before a later checkpoint was committed?"
    )]
    Lost {
        /// What should be there.
        file: String,
    },
}

/// What is said of a bucket in a build that knows none.
#[cfg(not(feature = "s3"))]
pub(crate) fn no_buckets(url: &str) -> Error {
    Error::Url {
        url: url.to_owned(),
        why: "buckets need the feature \"s3\" of incumbent-stream-files".to_owned(),
    }
}
