//! One journal per directory: whoever has it open holds a lock that the kernel frees when the
//! process ends, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::error::OpenError;

/// The file that is locked.
pub(crate) const NAME: &str = "lock";
/// A holder's own words, not more of them.
const MAX_HOLDER: usize = 200;

/// Held as long as this lives.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Closing the file would do, if no other thread were just starting a process: that one has the
    /// file too, until it becomes the other program.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock, and writes into it who did.
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(NAME);
        let io = |source| OpenError::Io {
            doing: "lock",
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let mut file = options.open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked {
                    dir: dir.to_owned(),
                    holder: holder(&path),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        // Somebody may have removed the file by hand since it was opened. The lock would keep
        // nobody out then.
        let (ours, named) = (
            file.metadata().map_err(io)?,
            fs::metadata(&path).map_err(io)?,
        );
        if (ours.dev(), ours.ino()) != (named.dev(), named.ino()) {
            return Err(io(io::Error::other("the file was replaced")));
        }
        file.set_len(0)
            .and_then(|()| file.write_all(ourselves().as_bytes()))
            .map_err(io)?;
        Ok(Self { file })
    }
}

fn ourselves() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let host = rustix::system::uname();
    format!(
        "process {} ({}) on {}\n",
        std::process::id(),
        program.file_name().unwrap_or_default().display(),
        host.nodename().to_string_lossy()
    )
}

/// Only words for a person: whoever took the lock a moment ago may not have written them yet.
fn holder(path: &Path) -> String {
    let words = fs::read_to_string(path).unwrap_or_default();
    match words.trim() {
        "" => "another process".into(),
        words => words.chars().take(MAX_HOLDER).collect(),
    }
}
