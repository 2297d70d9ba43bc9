//! [`Program`]: which executable this is.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::Read as _;
use std::sync::mpsc::{Receiver, channel};

use super::{io, spawn};
use crate::Result;

/// The digest of this process's executable, being computed. It takes as long as reading it does, so
/// it is done beside everything else.
///
/// It says whether all tasks run the same file. It is no protection: the TaskManagers have compared
/// the artifact with its SHA-256.
pub(super) struct Program {
    digest: Receiver<std::io::Result<u64>>,
}

impl Program {
    pub(super) fn start() -> Result<Self> {
        let (tell, digest) = channel();
        let compute = move || {
            // Nobody wants it if the start has failed.
            let _ = tell.send(compute());
        };
        spawn("program", compute)?;
        Ok(Self { digest })
    }

    /// Waits for it.
    pub(super) fn digest(self) -> Result<u64> {
        let computed = self.digest.recv();
        let computed =
            computed.unwrap_or_else(|_| Err(std::io::Error::other("its thread is gone")));
        computed.map_err(io("reading the executable of this process"))
    }
}

fn compute() -> std::io::Result<u64> {
    // Also if it has been replaced meanwhile.
    let mut file = File::open("/proc/self/exe")?;
    let mut hasher = DefaultHasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => hasher.write(&buffer[..read]),
        }
    }
}
