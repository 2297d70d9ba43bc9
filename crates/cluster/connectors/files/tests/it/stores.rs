//! Where files can be: what holds, holds in all of them.

use std::any::Any;

use incumbent_s3_double::{Double, Options};
use incumbent_servers::moto::Moto;
use incumbent_stream_files::FileSet;

use crate::Row;

/// A place that is empty.
pub(crate) struct Store {
    pub(crate) url: String,
    settings: Vec<(String, String)>,
    _keep: Box<dyn Any>,
}

impl Store {
    pub(crate) fn directory() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            url: format!("file://{}/out", dir.path().display()),
            settings: Vec::new(),
            _keep: Box::new(dir),
        }
    }

    pub(crate) fn double() -> Self {
        let double = Double::start(Options {
            page: 7,
            ..Options::default()
        });
        Self {
            url: "s3://bucket/some/out".to_owned(),
            settings: double.settings(),
            _keep: Box::new(double),
        }
    }

    /// The server that others wrote; `None` if it is not installed.
    pub(crate) fn moto() -> Option<Self> {
        let moto = Moto::start()?;
        moto.make_bucket("bucket");
        Some(Self {
            url: "s3://bucket/some/out".to_owned(),
            settings: moto.settings(),
            _keep: Box::new(moto),
        })
    }

    /// These files, in this place.
    pub(crate) fn files<T>(&self, make: impl Fn(String) -> FileSet<T>) -> FileSet<T> {
        make(self.url.clone()).settings(self.settings.clone())
    }

    /// All that is visible.
    pub(crate) fn records(&self, make: impl Fn(String) -> FileSet<Row>) -> Vec<Row> {
        let mut records = crate::read_all(&self.files(make)).unwrap();
        records.sort();
        records
    }
}
