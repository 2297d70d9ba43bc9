//! [`Local`]: output in a directory, by the tasks' own [`FileSink`].

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use incumbent_stream::{At, BoxError, Staged};
use incumbent_task::{FileSink, Place, Staged as StagedFile};

use super::LOCAL_JOB;
use crate::Error;

pub(crate) struct Local {
    sink: FileSink,
}

impl Local {
    pub(crate) fn open(
        dir: &Path,
        extension: &str,
        at: &At,
        staged: &[Staged],
    ) -> Result<Self, BoxError> {
        let place = Place {
            job: at.job.clone(),
            attempt: at.attempt,
            rank: at.rank,
            tasks: at.tasks,
            restored: staged.iter().map(|one| one.from).max().unwrap_or(0),
        };
        let mut sink = FileSink::at(place, dir, &at.name)?.with_extension(extension);
        try_links(sink.dir(), at)?;
        if at.job == LOCAL_JOB && staged.is_empty() {
            refuse_older(sink.dir(), at)?;
        }
        let mut all = Vec::with_capacity(staged.len());
        let mut share = Vec::new();
        for one in staged {
            let file: StagedFile = serde_json::from_value(one.note.clone())?;
            if at.is_mine(&one.name) {
                share.push(file.clone());
            }
            all.push(file);
        }
        sink.recover_share(&share, &all)?;
        Ok(Self { sink })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), BoxError> {
        let written = self.sink.write_all(bytes);
        written.map_err(|error| failed(self.sink.dir(), error).into())
    }

    pub(crate) fn stage(&mut self, number: u64) -> Result<Vec<Staged>, BoxError> {
        noted(self.sink.stage(number)?)
    }

    pub(crate) fn stage_last(&mut self) -> Result<Vec<Staged>, BoxError> {
        noted(self.sink.stage_last()?)
    }

    pub(crate) fn commit(&mut self, number: u64) -> Result<(), BoxError> {
        Ok(self.sink.committed(number)?)
    }
}

fn noted(staged: &[StagedFile]) -> Result<Vec<Staged>, BoxError> {
    let noted = staged.iter().map(|file| {
        Ok(Staged {
            name: file.hidden.clone(),
            from: file.from,
            note: serde_json::to_value(file)?,
            bytes: None,
        })
    });
    noted.collect()
}

/// Publishes nothing, as output would be published: some file systems cannot.
fn try_links(dir: &Path, at: &At) -> Result<(), Error> {
    // Litter of a lower attempt is removed under such names.
    let name = |end| format!(".{}-{}-{}-{}-{end}", at.name, at.job, at.attempt, at.rank);
    let (from, to) = (dir.join(name("tried")), dir.join(name("linked")));
    let _ = fs::remove_file(&to);
    File::create(&from).map_err(|error| failed(dir, error))?;
    let linked = fs::hard_link(&from, &to);
    let _ = fs::remove_file(&to);
    let _ = fs::remove_file(&from);
    linked.map_err(|cause| Error::NoLinks {
        dir: dir.display().to_string(),
        cause,
    })
}

/// Each run without a cluster counts its checkpoints from 1: the names would be taken, and files of
/// two runs be mixed.
fn refuse_older(dir: &Path, at: &At) -> Result<(), Error> {
    let prefix = format!("part-{}-{}-", at.name, at.rank);
    for entry in fs::read_dir(dir).map_err(|error| failed(dir, error))? {
        let entry = entry.map_err(|error| failed(dir, error))?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            return Err(Error::Taken {
                file: entry.path().display().to_string(),
            });
        }
    }
    Ok(())
}

fn failed(dir: &Path, cause: std::io::Error) -> Error {
    Error::Write {
        url: dir.display().to_string(),
        cause: cause.into(),
    }
}
