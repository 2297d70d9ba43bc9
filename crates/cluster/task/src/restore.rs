//! [`Restore`]: what a task starts from.

use std::io::{self, Read};

use serde::Deserialize;

use crate::http::Incoming;
use crate::part::{StoredFile, escaped};
use crate::task::{PAUSE, TRIES, pause};
use crate::{Error, Task};

/// What a task starts from: the parts of all ranks of the attempt that made the checkpoint.
#[derive(Debug)]
pub struct Restore {
    task: Task,
    /// The number of the checkpoint.
    pub number: u64,
    /// How many tasks the attempt had that made it. It may be another number than now.
    pub tasks: u32,
    /// The parts, by rank.
    pub ranks: Vec<RestoredRank>,
}

/// The part of one rank.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RestoredRank {
    /// Its rank then.
    pub rank: u32,
    /// Whether it had finished: these are its last files.
    #[serde(default)]
    pub is_finished: bool,
    /// Its files.
    #[serde(default)]
    pub files: Vec<StoredFile>,
}

/// One file, as it is read. Its last bytes come only if all of it is as it was stored; otherwise
/// there is an error, also of the kind [`io::ErrorKind::UnexpectedEof`].
#[derive(Debug)]
pub struct RestoredFile {
    bytes: Incoming,
}

#[derive(Deserialize)]
pub(crate) struct Told {
    number: u64,
    tasks: u32,
    ranks: Vec<RestoredRank>,
}

impl Restore {
    pub(crate) fn new(task: Task, told: Told) -> Result<Self, Error> {
        let Told {
            number,
            tasks,
            ranks,
        } = told;
        Ok(Self {
            task,
            number,
            tasks,
            ranks,
        })
    }

    /// Reads a file of a rank.
    ///
    /// # Errors
    ///
    /// [`Error::NotRestored`] if it is gone, or the checkpoint has no such file;
    /// [`Error::Gone`]. An outage of the blobs is waited out.
    pub fn open(&self, rank: u32, name: &str) -> Result<RestoredFile, Error> {
        let path = format!("/v1/restore/{rank}/{}", escaped(name));
        match self.task.get(&path) {
            Ok(bytes) => Ok(RestoredFile { bytes }),
            Err(Error::Refused { why, .. }) => Err(Error::NotRestored { why }),
            Err(error) => Err(error),
        }
    }

    /// A whole file of a rank.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`Error::NotRestored`] if it is altered.
    pub fn bytes(&self, rank: u32, name: &str) -> Result<Vec<u8>, Error> {
        let mut tried = 0;
        loop {
            let mut bytes = Vec::new();
            let Err(error) = self.open(rank, name)?.read_to_end(&mut bytes) else {
                return Ok(bytes);
            };
            tried += 1;
            if tried == TRIES {
                let why = format!("{name} of rank {rank} could not be read to its end: {error}");
                return Err(Error::NotRestored { why });
            }
            pause(PAUSE);
        }
    }

    /// The files with this name of all ranks that have one, with the rank of each.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes).
    pub fn all(&self, name: &str) -> Result<Vec<(u32, Vec<u8>)>, Error> {
        let has = |rank: &&RestoredRank| rank.files.iter().any(|file| file.name == name);
        let ranks = self.ranks.iter().filter(has);
        ranks
            .map(|rank| Ok((rank.rank, self.bytes(rank.rank, name)?)))
            .collect()
    }
}

impl Read for RestoredFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}
