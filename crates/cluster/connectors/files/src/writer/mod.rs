//! [`FileWriter`]: writes the files of one rank.

mod local;

use incumbent_stream::{At, BoxError, Staged, Writer};

#[cfg(feature = "s3")]
use crate::bucket::Uploads;
use crate::encode::Encode;
use crate::place::{Place, Root};
use crate::{Error, FileSet};
use local::Local;

/// The id of the job when there is no cluster.
pub(crate) const LOCAL_JOB: &str = "local";

/// Writes the files of one rank, each hidden until its checkpoint is committed.
pub struct FileWriter<T> {
    encoder: Box<dyn Encode<T>>,
    output: Output,
    /// Something was written since the last stage.
    is_open: bool,
    encoded: Vec<u8>,
}

enum Output {
    Local(Local),
    #[cfg(feature = "s3")]
    Bucket(Box<Uploads>),
}

impl<T> FileWriter<T> {
    pub(crate) fn open(
        files: &FileSet<T>,
        encoder: Box<dyn Encode<T>>,
        place: &Place,
        at: &At,
        staged: Vec<Staged>,
    ) -> Result<Self, BoxError> {
        if place.pattern.is_some() {
            return Err(Error::Url {
                url: place.url.clone(),
                why: "output goes to a directory; leave the pattern out".to_owned(),
            }
            .into());
        }
        let output = match &place.root {
            Root::Local(dir) => Output::Local(Local::open(dir, files.extension(), at, &staged)?),
            #[cfg(feature = "s3")]
            Root::Bucket { .. } => {
                let settings = files.settings.as_deref();
                let uploads = Uploads::open(place, settings, files.extension(), at, staged)?;
                Output::Bucket(Box::new(uploads))
            }
            #[cfg(not(feature = "s3"))]
            Root::Bucket { .. } => return Err(crate::error::no_buckets(&place.url).into()),
        };
        Ok(Self {
            encoder,
            output,
            is_open: false,
            encoded: Vec::new(),
        })
    }

    /// Hands over what is encoded.
    fn pass_on(&mut self) -> Result<(), BoxError> {
        let bytes = &self.encoded[..];
        match &mut self.output {
            _ if bytes.is_empty() => {}
            Output::Local(local) => local.write(bytes)?,
            #[cfg(feature = "s3")]
            Output::Bucket(uploads) => uploads.write(bytes)?,
        }
        self.encoded.clear();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), BoxError> {
        if std::mem::take(&mut self.is_open) {
            self.encoder.finish(&mut self.encoded)?;
            self.pass_on()?;
        }
        Ok(())
    }
}

impl<T: Send> Writer<T> for FileWriter<T> {
    fn write(&mut self, records: Vec<T>) -> Result<(), BoxError> {
        if records.is_empty() {
            return Ok(());
        }
        self.is_open = true;
        self.encoder.encode(&records, &mut self.encoded)?;
        self.pass_on()
    }

    fn stage(&mut self, number: u64) -> Result<Vec<Staged>, BoxError> {
        self.finish()?;
        match &mut self.output {
            Output::Local(local) => local.stage(number),
            #[cfg(feature = "s3")]
            Output::Bucket(uploads) => Ok(uploads.stage(number)?),
        }
    }

    fn stage_last(&mut self) -> Result<Vec<Staged>, BoxError> {
        self.finish()?;
        match &mut self.output {
            Output::Local(local) => local.stage_last(),
            #[cfg(feature = "s3")]
            Output::Bucket(uploads) => Ok(uploads.stage_last()?),
        }
    }

    fn commit(&mut self, number: u64) -> Result<(), BoxError> {
        match &mut self.output {
            Output::Local(local) => local.commit(number),
            #[cfg(feature = "s3")]
            Output::Bucket(uploads) => Ok(uploads.commit(number)?),
        }
    }
}
