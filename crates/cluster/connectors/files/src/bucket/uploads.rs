//! [`Uploads`]: output in a bucket, by uploads that are completed when they are committed.
//!
//! ```text
//! write       parts of an upload; the object is not there
//! stage       the last part; the state has the upload's id and parts: it is promised
//! committed   the upload is completed: the object is there, whole
//! ```

use std::time::Duration;

use incumbent_stream::{At, Staged};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::{ObjectStoreExt as _, PutPayload};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

use super::Bucket;
use crate::Error;
use crate::place::Place;
use crate::writer::LOCAL_JOB;

/// How much is sent at once. S3 wants at least 5 MiB in all parts but the last, all of one size,
/// and takes 10,000 of them: a file may have 80 GB.
const PART: usize = 8 * 1024 * 1024;

/// How long an upload that nobody will want is tried to be aborted, when the task ends.
const ABORT: Duration = Duration::from_secs(2);

/// How many digits of the id of a job are in the names of objects: enough to tell the few jobs
/// apart that write to one prefix. With the attempt and a count, no two objects want one name.
const JOB_DIGITS: usize = 8;

pub(crate) struct Uploads {
    runtime: Runtime,
    bucket: Bucket,
    /// What all names begin with.
    stem: String,
    extension: &'static str,
    begun: u64,
    open: Option<Upload>,
    staged: Vec<Staged>,
    /// The last number that something was staged for, or could have been.
    number: u64,
}

/// What is being written.
struct Upload {
    name: String,
    /// Of the upload, once there is one.
    id: Option<String>,
    parts: Vec<String>,
    buffer: Vec<u8>,
}

/// What completes an upload.
#[derive(Serialize, Deserialize)]
struct Note {
    /// The object, below the prefix.
    object: String,
    /// The upload.
    upload: String,
    /// Its parts.
    parts: Vec<String>,
}

impl Uploads {
    pub(crate) fn open(
        place: &Place,
        settings: Option<&[(String, String)]>,
        extension: &'static str,
        at: &At,
        staged: Vec<Staged>,
    ) -> Result<Self, Error> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !at.name.bytes().all(is_allowed) {
            return Err(Error::Url {
                url: place.url.clone(),
                why: format!("{:?} is part of names: letters, digits, - and _", at.name),
            });
        }
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::Write {
            url: place.url.clone(),
            cause: error.into(),
        })?;
        let job = at.job.get(..JOB_DIGITS).unwrap_or(&at.job);
        let (name, rank, attempt) = (&at.name, at.rank, at.attempt);
        let uploads = Self {
            runtime,
            bucket: Bucket::open(place, settings)?,
            stem: format!("part-{name}-{rank}-{job}-{attempt}-"),
            extension,
            begun: 0,
            open: None,
            staged: Vec::new(),
            number: staged.iter().map(|one| one.from).max().unwrap_or(0),
        };
        if at.job == LOCAL_JOB {
            uploads.refuse_older(place)?;
        }
        for one in staged.iter().filter(|one| at.is_mine(&one.name)) {
            uploads.publish(one)?;
        }
        Ok(uploads)
    }

    /// Each run without a cluster has the same attempt: an upload would replace the object of the
    /// other.
    fn refuse_older(&self, place: &Place) -> Result<(), Error> {
        let names = self.runtime.block_on(self.bucket.list(place))?;
        match names.iter().find(|name| name.starts_with(&self.stem)) {
            Some(name) => Err(Error::Taken {
                file: self.bucket.describe(name),
            }),
            None => Ok(()),
        }
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let open = self.open.get_or_insert_with(|| {
                self.begun += 1;
                Upload {
                    name: format!("{}{}.{}", self.stem, self.begun, self.extension),
                    id: None,
                    parts: Vec::new(),
                    buffer: Vec::new(),
                }
            });
            let length = bytes.len().min(PART - open.buffer.len());
            let (now, later) = bytes.split_at(length);
            open.buffer.extend_from_slice(now);
            bytes = later;
            if open.buffer.len() == PART {
                send_part(&self.runtime, &self.bucket, open)?;
            }
        }
        Ok(())
    }

    pub(crate) fn stage(&mut self, number: u64) -> Result<Vec<Staged>, Error> {
        self.number = number;
        self.stage_from(number)
    }

    pub(crate) fn stage_last(&mut self) -> Result<Vec<Staged>, Error> {
        self.stage_from(self.number + 1)
    }

    fn stage_from(&mut self, from: u64) -> Result<Vec<Staged>, Error> {
        if let Some(open) = &mut self.open {
            if !open.buffer.is_empty() {
                send_part(&self.runtime, &self.bucket, open)?;
            }
            let note = Note {
                object: open.name.clone(),
                upload: open.id.clone().expect("it has a part, so it has begun"),
                parts: open.parts.clone(),
            };
            self.staged.push(Staged {
                name: open.name.clone(),
                from,
                note: serde_json::to_value(note).expect("texts are JSON"),
                bytes: None,
            });
            self.open = None;
        }
        Ok(self.staged.clone())
    }

    pub(crate) fn commit(&mut self, number: u64) -> Result<(), Error> {
        for one in self.staged.iter().filter(|one| one.from <= number) {
            self.publish(one)?;
        }
        self.staged.retain(|one| one.from > number);
        Ok(())
    }

    /// Completes an upload, which may be completed already.
    fn publish(&self, staged: &Staged) -> Result<(), Error> {
        let note: Note =
            serde_json::from_value(staged.note.clone()).map_err(|error| Error::Write {
                url: self.bucket.describe(&staged.name),
                cause: error.into(),
            })?;
        let path = self.bucket.path(&note.object);
        let parts = note
            .parts
            .into_iter()
            .map(|content_id| PartId { content_id });
        let store = &self.bucket.store;
        let completed = store.complete_multipart(&path, &note.upload, parts.collect());
        let Err(error) = self.runtime.block_on(completed) else {
            return Ok(());
        };
        // Nobody else writes under this name: if the object is there, it was completed.
        match self.runtime.block_on(store.head(&path)) {
            Ok(_) => Ok(()),
            Err(object_store::Error::NotFound { .. })
                if matches!(error, object_store::Error::NotFound { .. }) =>
            {
                Err(Error::Lost {
                    file: self.bucket.describe(&note.object),
                })
            }
            Err(_) => Err(Error::Write {
                url: self.bucket.describe(&note.object),
                cause: error.into(),
            }),
        }
    }
}

impl Drop for Uploads {
    /// What is not staged will never be: it is in no state.
    fn drop(&mut self) {
        let Some(Upload {
            name, id: Some(id), ..
        }) = self.open.take()
        else {
            return;
        };
        let path = self.bucket.path(&name);
        let aborted = self.bucket.store.abort_multipart(&path, &id);
        let _ = self
            .runtime
            .block_on(async { tokio::time::timeout(ABORT, aborted).await });
    }
}

fn send_part(runtime: &Runtime, bucket: &Bucket, open: &mut Upload) -> Result<(), Error> {
    let path = bucket.path(&open.name);
    let bytes = std::mem::take(&mut open.buffer);
    let sent = runtime.block_on(async {
        let id = match open.id.take() {
            Some(id) => id,
            None => bucket.store.create_multipart(&path).await?,
        };
        let id = open.id.insert(id);
        let payload = PutPayload::from(bytes);
        bucket
            .store
            .put_part(&path, id, open.parts.len(), payload)
            .await
    });
    let part = sent.map_err(|error| Error::Write {
        url: bucket.describe(&open.name),
        cause: error.into(),
    })?;
    open.parts.push(part.content_id);
    Ok(())
}
