//! [`Damaged`] and [`Error`]: why something stored cannot be read.

use std::io;

/// These bytes are not what was written: they were cut or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged: {0}")]
pub struct Damaged(pub(crate) &'static str);

impl Damaged {
    pub(crate) const CUT: Self = Self("it ends too early");
}

/// Why a file of state cannot be read.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was cut or changed, or is something else. Another copy may be whole.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// A newer build has written it: read it with one.
    #[error(
        "the file has version {found} of the format, and this build knows {}",
        crate::VERSION
    )]
    Newer {
        /// The version of the file.
        found: u32,
    },
    /// It could not be read now.
    #[error("reading a file of state")]
    Io(#[from] io::Error),
}
