//! [`FileSink`]: output in files that appear whole, and once.
//!
//! ```text
//! write        .out-<job>-<attempt>-<rank>-<n>      hidden; no other process uses this name
//! stage        synced, with its directory           the state names it: it is promised
//! committed    part-out-<rank>-<number>             a hard link; then the hidden name goes
//!              part-out-<rank>-last-<job>-<attempt> of the end of the input
//! ```
//!
//! With an extension (`part-out-<rank>-<number>.csv`), if the sink was given one.
//!
//! - What is published has the name that the *state* says, so it does not matter which attempt
//!   publishes it, or how often: the link is there already, or it is made.
//! - Numbers of checkpoints rise over all attempts, so no two published files want one name.
//! - A process that should be dead only writes under names that no other process uses, and they
//!   are in no committed state.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{SinkError, Task};

/// Longest name of a sink, in bytes: it is part of the names of files.
const LONGEST_NAME: usize = 64;

/// How many digits of the id of a job are in the names of last files: enough to tell the few jobs
/// apart that go on from each other in one directory.
const JOB_DIGITS: usize = 8;

/// Output in files of a directory that all machines share. Files appear when the checkpoint is
/// committed that they were staged for, whole and once, whatever was killed meanwhile.
///
/// Write to it; [`stage`](Self::stage) when a checkpoint is asked for, and store what it returns
/// with the state; [`committed`](Self::committed) when told so; and [`recover`](Self::recover)
/// first of all, before [`Task::ready`]. Each rank has one.
///
/// The file system must have hard links. Files may be taken away once a *later* checkpoint is
/// committed: until then, a restart looks for them.
#[derive(Debug)]
pub struct FileSink {
    dir: PathBuf,
    name: String,
    job: String,
    attempt: u64,
    rank: u32,
    tasks: u32,
    opened: u64,
    open: Option<Open>,
    staged: Vec<Staged>,
    /// The last number that something was staged for, or could have been.
    number: u64,
    /// With its dot; empty if there is none.
    extension: String,
}

/// Which rank of which attempt writes, for output without a [`Task`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The id of the job.
    pub job: String,
    /// The number of the attempt.
    pub attempt: u64,
    /// The rank, from 0.
    pub rank: u32,
    /// How many tasks the job has.
    pub tasks: u32,
    /// The number of the checkpoint that it starts from, or 0.
    pub restored: u64,
}

/// A file that is staged: it will be published, by whatever attempt, if the checkpoint is
/// committed whose state names it. It belongs into that state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// It is published with the first committed checkpoint from this number on.
    pub from: u64,
    /// The id of the job that staged it.
    pub job: String,
    /// Its directory.
    pub dir: PathBuf,
    /// Its hidden name.
    pub hidden: String,
    /// The name under which it is published.
    pub published: String,
}

#[derive(Debug)]
struct Open {
    hidden: String,
    file: BufWriter<File>,
}

impl FileSink {
    /// A sink of this name, 1 to 64 letters, digits, `-` and `_`, into this directory, which is
    /// made if it is not there.
    ///
    /// # Errors
    ///
    /// [`SinkError::Name`], [`SinkError::Io`].
    pub fn new(task: &Task, dir: impl AsRef<Path>, name: &str) -> Result<Self, SinkError> {
        let identity = task.identity();
        let place = Place {
            job: identity.job.clone(),
            attempt: identity.attempt,
            rank: identity.rank,
            tasks: identity.tasks,
            restored: identity.restore.unwrap_or(0),
        };
        Self::at(place, dir, name)
    }

    /// The same, without a [`Task`]. No two that write at the same time may have the same place.
    ///
    /// # Errors
    ///
    /// [`SinkError::Name`], [`SinkError::Io`].
    pub fn at(place: Place, dir: impl AsRef<Path>, name: &str) -> Result<Self, SinkError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_allowed) {
            return Err(SinkError::Name {
                name: name.to_owned(),
            });
        }
        let dir = dir.as_ref();
        fs::create_dir_all(dir).map_err(io_error("cannot make the directory", dir))?;
        // The state names it, and another attempt has another working directory.
        let dir = fs::canonicalize(dir).map_err(io_error("cannot find the directory", dir))?;
        Ok(Self {
            dir,
            name: name.to_owned(),
            job: place.job,
            attempt: place.attempt,
            rank: place.rank,
            tasks: place.tasks,
            opened: 0,
            open: None,
            staged: Vec::new(),
            // What stands is told again, and an end that is staged now is not in it.
            number: place.restored,
            extension: String::new(),
        })
    }

    /// Has published names end with a dot and this.
    #[must_use]
    pub fn with_extension(mut self, extension: &str) -> Self {
        self.extension = format!(".{extension}");
        self
    }

    /// Its directory, as all processes of this machine find it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Publishes what the restored states of *all* ranks say is staged, or this rank's share of
    /// it, and removes what attempts before this one have left. Call it before [`Task::ready`],
    /// also with nothing if the task starts with nothing. Several sinks may all be given all that
    /// is staged.
    ///
    /// # Errors
    ///
    /// [`SinkError::Taken`], [`SinkError::Lost`], [`SinkError::Io`]: exit with a failure.
    pub fn recover(&mut self, staged: &[Staged]) -> Result<(), SinkError> {
        let share = staged
            .iter()
            .zip(0..)
            .filter(|(_, at)| at % self.tasks == self.rank);
        let share: Vec<_> = share.map(|(staged, _)| staged.clone()).collect();
        self.recover_share(&share, staged)
    }

    /// The same, with a share that the caller has chosen out of all: each that is staged belongs to
    /// the share of one rank.
    ///
    /// # Errors
    ///
    /// As [`recover`](Self::recover).
    pub fn recover_share(&mut self, share: &[Staged], all: &[Staged]) -> Result<(), SinkError> {
        self.publish(share)?;
        match self.rank {
            0 => self.remove_litter(all),
            _ => Ok(()),
        }
    }

    /// Ends the present file, if something was written, and makes it durable: it belongs to this
    /// checkpoint. Returns all that is staged and not known to be committed: store it with the
    /// state.
    ///
    /// # Errors
    ///
    /// [`SinkError::Io`]: do not acknowledge; exit with a failure.
    pub fn stage(&mut self, number: u64) -> Result<&[Staged], SinkError> {
        let published = format!(
            "part-{}-{}-{number}{}",
            self.name, self.rank, self.extension
        );
        self.number = number;
        self.stage_as(number, published)
    }

    /// The same for the end of the input, to be stored with [`Task::last`].
    ///
    /// # Errors
    ///
    /// As [`stage`](Self::stage).
    pub fn stage_last(&mut self) -> Result<&[Staged], SinkError> {
        // Another attempt may have last files too, of other numbers of tasks, and no number of a
        // checkpoint tells them apart. Nor those of a job that starts from this one's checkpoint.
        let (name, rank, attempt) = (&self.name, self.rank, self.attempt);
        let job = self.job.get(..JOB_DIGITS).unwrap_or(&self.job);
        let end = &self.extension;
        let published = format!("part-{name}-{rank}-last-{job}-{attempt}{end}");
        self.stage_as(self.number + 1, published)
    }

    /// Publishes what is staged up to this checkpoint. May be called again.
    ///
    /// # Errors
    ///
    /// [`SinkError::Taken`], [`SinkError::Lost`], [`SinkError::Io`]: exit with a failure. The
    /// next attempt publishes it.
    pub fn committed(&mut self, number: u64) -> Result<(), SinkError> {
        let is_due = |staged: &&Staged| staged.from <= number;
        let due: Vec<_> = self.staged.iter().filter(is_due).cloned().collect();
        self.publish(&due)?;
        self.staged.retain(|staged| staged.from > number);
        Ok(())
    }

    fn stage_as(&mut self, from: u64, published: String) -> Result<&[Staged], SinkError> {
        if let Some(Open { hidden, file }) = self.open.take() {
            let path = self.dir.join(&hidden);
            let file = file.into_inner().map_err(io::IntoInnerError::into_error);
            let synced = file.and_then(|file| file.sync_all());
            synced.map_err(io_error("cannot store", &path))?;
            sync(&self.dir)?;
            let (job, dir) = (self.job.clone(), self.dir.clone());
            self.staged.push(Staged {
                from,
                job,
                dir,
                hidden,
                published,
            });
        }
        Ok(&self.staged)
    }

    /// Links each to its name, makes the names durable, and only then takes the hidden ones away.
    fn publish(&self, staged: &[Staged]) -> Result<(), SinkError> {
        for one in staged {
            let (hidden, published) = (one.dir.join(&one.hidden), one.dir.join(&one.published));
            match fs::hard_link(&hidden, &published) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    is_same(&hidden, &published)?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.is_published(one, published)?;
                }
                Err(error) => return Err(io_error("cannot publish", &published)(error)),
            }
        }
        let mut dirs: Vec<_> = staged.iter().map(|one| &one.dir).collect();
        dirs.dedup();
        for dir in dirs.into_iter().filter(|dir| dir.exists()) {
            sync(dir)?;
        }
        for one in staged {
            remove(&one.dir.join(&one.hidden))?;
        }
        Ok(())
    }

    /// Nobody takes a hidden name away before the file is published. If neither is there, it was
    /// published, and taken away; or this is another directory than that of the other machines.
    /// The first is not to be expected so soon. Of another job it is: that one may have ended
    /// long ago.
    fn is_published(&self, staged: &Staged, path: PathBuf) -> Result<(), SinkError> {
        match staged.job != self.job || path.exists() {
            true => Ok(()),
            false => Err(SinkError::Lost { path }),
        }
    }

    /// Removes what lower attempts have staged and no state names. They can commit nothing any
    /// more, since this one has begun.
    fn remove_litter(&self, kept: &[Staged]) -> Result<(), SinkError> {
        let prefix = format!(".{}-{}-", self.name, self.job);
        let entries = fs::read_dir(&self.dir).map_err(io_error("cannot list", &self.dir))?;
        for entry in entries {
            let entry = entry.map_err(io_error("cannot list", &self.dir))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let attempt = name
                .strip_prefix(&prefix)
                .and_then(|rest| rest.split_once('-'));
            let attempt = attempt.and_then(|(attempt, _)| attempt.parse::<u64>().ok());
            let is_older = attempt.is_some_and(|attempt| attempt < self.attempt);
            if is_older && !kept.iter().any(|staged| staged.hidden == name) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn open(&mut self) -> io::Result<&mut Open> {
        while self.open.is_none() {
            self.opened += 1;
            let (job, attempt, rank) = (&self.job, self.attempt, self.rank);
            let hidden = format!(".{}-{job}-{attempt}-{rank}-{}", self.name, self.opened);
            let mut options = OpenOptions::new();
            match options
                .write(true)
                .create_new(true)
                .open(self.dir.join(&hidden))
            {
                Ok(file) => {
                    self.open = Some(Open {
                        hidden,
                        file: BufWriter::new(file),
                    })
                }
                // Of a job that had this id before: never write into what may be published.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.open.as_mut().expect("it was just opened"))
    }
}

impl Drop for FileSink {
    /// What is not staged will never be: it is in no state.
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            let _ = fs::remove_file(self.dir.join(open.hidden));
        }
    }
}

impl Write for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match bytes.is_empty() {
            true => Ok(0),
            false => self.open()?.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.open {
            Some(open) => open.file.flush(),
            None => Ok(()),
        }
    }
}

/// Whether a name that is taken is taken by the same file.
fn is_same(hidden: &Path, published: &Path) -> Result<(), SinkError> {
    let id = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    match (id(hidden), id(published)) {
        (Ok(hidden), Ok(published)) if hidden == published => Ok(()),
        // Another process of this job has published it just now, and taken the hidden name away.
        (Err(error), Ok(_)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        (Ok(_), Ok(_)) => Err(SinkError::Taken {
            path: published.to_owned(),
        }),
        (Err(error), _) | (_, Err(error)) => Err(io_error("cannot look at", published)(error)),
    }
}

fn remove(path: &Path) -> Result<(), SinkError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("cannot remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn sync(dir: &Path) -> Result<(), SinkError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(io_error("cannot sync", dir))
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SinkError {
    move |source| SinkError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}
