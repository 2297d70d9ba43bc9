//! One `incumbent up` in a directory at a time.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::cluster::places::Places;
use crate::exit::{Code, Failure};

/// Longest note that is read, in bytes.
const LONGEST_NOTE: u64 = 300;

/// The directory is ours as long as this lives; the system gives it back also after `kill -9`.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Makes the directory if there is none, and takes it.
    ///
    /// # Errors
    ///
    /// Another `incumbent up` has it, or it cannot be used.
    pub(super) fn take(places: &Places) -> Result<Self, Failure> {
        let path = places.lock();
        let failed = |cause: std::io::Error| cannot_use(&places.dir).because(cause);
        // Logs and directories of tasks are nobody else's business.
        let mut make = DirBuilder::new();
        make.recursive(true).mode(0o700);
        make.create(&places.dir).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            Err(Errno::WOULDBLOCK) => Err(taken(&mut file, &places.dir)),
            Err(errno) => Err(failed(errno.into())),
        }
    }

    /// Notes who has it, for the error of the next one.
    pub(super) fn note(&mut self, url: &str) -> std::io::Result<()> {
        self.0.set_len(0)?;
        self.0.seek(SeekFrom::Start(0))?;
        writeln!(self.0, "pid {}, which answers at {url}", std::process::id())
    }
}

fn cannot_use(dir: &Path) -> Failure {
    let what = format!(
        "cannot use the directory {}; choose another with --dir DIR",
        dir.display()
    );
    Failure::new(what).code(Code::Usage)
}

fn taken(file: &mut File, dir: &Path) -> Failure {
    let mut note = String::new();
    let read = file.take(LONGEST_NOTE).read_to_string(&mut note);
    let who = match (read, note.trim()) {
        (Ok(_), note) if !note.is_empty() => format!(" ({note})"),
        _ => String::new(),
    };
    let what = format!(
        "an `incumbent up`{who} runs already in {}: use that one, end it, or add --dir DIR and --listen ADDR for one \
         more cluster",
        dir.display()
    );
    Failure::new(what).code(Code::Refused)
}
