//! Errors of the file backend. Each one names its file.

use std::io;
use std::path::{Path, PathBuf};

use incumbent_backend::{BadAddress, Failure, Unread};

/// Why a store cannot be opened, or the cause of a [`Failure`] or [`Unread`] of a store.
///
/// Every variant but the first names the file or directory.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The address does not name a directory: correct it.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The operating system refused.
    #[error("cannot {doing} {}", path.display())]
    System {
        /// The operation that failed.
        doing: &'static str,
        /// The file or directory it was tried on.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The content of the store cannot be trusted: a person has to look at it.
    #[error("{} cannot be trusted: {why}", path.display())]
    Damaged {
        /// What is damaged, foreign or of a newer format.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file system cannot do what the store needs: use another one.
    #[error("{} cannot hold a store: {why}", path.display())]
    Unsuitable {
        /// The directory.
        path: PathBuf,
        /// What it cannot do.
        why: &'static str,
    },
}

impl FileError {
    pub(crate) fn system(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::System {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn damaged(path: &Path, why: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            why: why.into(),
        }
    }

    /// The kind of the system's error, if it is one.
    pub(crate) fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::System { source, .. } => Some(source.kind()),
            Self::Address(_) | Self::Damaged { .. } | Self::Unsuitable { .. } => None,
        }
    }

    pub(crate) fn is_missing(&self) -> bool {
        self.kind() == Some(io::ErrorKind::NotFound)
    }

    pub(crate) fn is_taken(&self) -> bool {
        matches!(
            self.kind(),
            Some(io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty)
        )
    }

    /// Whether the system certainly did nothing. With any other error, the outcome is in doubt.
    pub(crate) fn did_nothing(&self) -> bool {
        use io::ErrorKind as K;
        matches!(
            self.kind(),
            None | Some(
                K::NotFound
                    | K::AlreadyExists
                    | K::DirectoryNotEmpty
                    | K::PermissionDenied
                    | K::ReadOnlyFilesystem
                    | K::StorageFull
                    | K::QuotaExceeded
                    | K::FileTooLarge
                    | K::NotADirectory
                    | K::IsADirectory
                    | K::TooManyLinks
                    | K::CrossesDevices
                    | K::InvalidFilename
                    | K::Unsupported
            )
        )
    }

    pub(crate) fn not_applied(self) -> Failure {
        Failure::NotApplied(Box::new(self))
    }

    pub(crate) fn unknown(self) -> Failure {
        Failure::Unknown(Box::new(self))
    }
}

impl From<FileError> for Unread {
    fn from(error: FileError) -> Self {
        use io::ErrorKind as K;
        match (&error, error.kind()) {
            // Something else is in the place of a directory or a file.
            (FileError::Damaged { .. }, _) | (_, Some(K::NotADirectory | K::IsADirectory)) => {
                Unread::Damaged(Box::new(error))
            }
            _ => Unread::Unavailable(Box::new(error)),
        }
    }
}
