//! Sinks for measurements: [`Nowhere`] and [`Shown`].

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use incumbent_stream::{At, BoxError, Sink, Staged, Writer};
use serde::Serialize;

/// A sink that drops what it gets, so that writing costs nothing.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

impl<T: 'static> Sink<T> for Nowhere {
    type Writer = Self;

    fn open(&self, _: &At, _: Vec<Staged>) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl<T> Writer<T> for Nowhere {
    fn write(&mut self, _: Vec<T>) -> Result<(), BoxError> {
        Ok(())
    }

    fn stage(&mut self, _: u64) -> Result<Vec<Staged>, BoxError> {
        Ok(Vec::new())
    }

    fn stage_last(&mut self) -> Result<Vec<Staged>, BoxError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: u64) -> Result<(), BoxError> {
        Ok(())
    }
}

/// A sink that shows what it gets at once: lines of JSON in a file `ATTEMPT-RANK`. After a failure,
/// the next attempt shows some of them again.
#[derive(Clone, Debug)]
pub struct Shown {
    dir: PathBuf,
}

impl Shown {
    /// In this directory, which is there; a URL `file://…` will do.
    pub fn new(dir: &str) -> Self {
        Self {
            dir: dir.strip_prefix("file://").unwrap_or(dir).into(),
        }
    }
}

impl<T: Serialize + Send + 'static> Sink<T> for Shown {
    type Writer = ShownWriter;

    fn open(&self, at: &At, _: Vec<Staged>) -> Result<ShownWriter, BoxError> {
        let path = self.dir.join(format!("{}-{}", at.attempt, at.rank));
        let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(ShownWriter { file })
    }
}

/// Writes for [`Shown`].
#[derive(Debug)]
pub struct ShownWriter {
    file: File,
}

impl<T: Serialize + Send> Writer<T> for ShownWriter {
    fn write(&mut self, records: Vec<T>) -> Result<(), BoxError> {
        let mut lines = Vec::new();
        for record in records {
            serde_json::to_writer(&mut lines, &record)?;
            lines.push(b'\n');
        }
        Ok(self.file.write_all(&lines)?)
    }

    fn stage(&mut self, _: u64) -> Result<Vec<Staged>, BoxError> {
        Ok(Vec::new())
    }

    fn stage_last(&mut self) -> Result<Vec<Staged>, BoxError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: u64) -> Result<(), BoxError> {
        Ok(())
    }
}
