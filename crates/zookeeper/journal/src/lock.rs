//! One journal per directory: the process that has it open holds a lock, which the kernel frees
//! when the process ends, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::error::OpenError;

/// The file that is locked.
pub(crate) const NAME: &str = "lock";
/// At most so many bytes of what the holder wrote are shown.
const MAX_HOLDER: usize = 200;

/// The lock is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Closing the file is not enough: a process that another thread is just starting has a copy of
    /// the descriptor until its `exec`.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock, and writes the name of this process into the file.
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
        // A person may have removed the file since it was opened. The lock would keep no process
        // out.
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

/// For people only: a process that took the lock a moment ago may not have written its name yet.
fn holder(path: &Path) -> String {
    let words = fs::read_to_string(path).unwrap_or_default();
    match words.trim() {
        "" => "another process".into(),
        words => words.chars().take(MAX_HOLDER).collect(),
    }
}
