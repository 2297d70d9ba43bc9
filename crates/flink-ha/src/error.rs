//! Why a cluster's data cannot be had.

use std::path::PathBuf;

use incumbent_backend::{BadAddress, BoxError};

/// Why a cluster cannot be looked at. Variants are named for the caller's next decision.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum FlinkError {
    /// The address is not one of a Flink cluster: correct it.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// A file that the address names cannot be read, or has not in it what it should have.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: BoxError,
    },
    /// The kubeconfig, or another configuration of the client, cannot be used.
    #[error("the configuration cannot be used")]
    Config(#[source] BoxError),
    /// It was called where no Tokio runtime is.
    #[error("no Tokio runtime is running")]
    NoRuntime,
    /// The store answers, and refuses: rights are missing.
    #[error("refused: {what}")]
    Refused {
        /// What was asked for.
        what: String,
        /// What the store says.
        source: BoxError,
    },
    /// The store was not reached, or did not answer: try again later.
    #[error("{store} does not answer")]
    Unavailable {
        /// The store.
        store: String,
        /// Why not, if it is known.
        source: Option<BoxError>,
    },
    /// There is nothing of such a cluster. It says where, and what is there instead.
    #[error("there is no HA data of a Flink cluster {0}")]
    Nothing(String),
    /// There is more than any cluster has.
    #[error("there are more than {most} {what}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How many are read.
        most: usize,
    },
}
