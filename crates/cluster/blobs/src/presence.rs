//! Whether a place is there, is the one that was opened, and can do what it has to.

use std::path::Path;

use bytes::Bytes;

use crate::answer::Answer;
use crate::error::Error;
use crate::names;
use crate::place::Place;
use crate::store::{Store, Written};

/// What a store has to be able to do, and not all that speak S3 can.
const UNCONDITIONAL: &str = "it does not create files conditionally (If-None-Match: *), and two \
    clusters could both take it for theirs; use another store, or a newer version of this one";

/// More than what the check of conditional writes writes.
const MAX_CHECK: usize = 64;

impl Store {
    /// Fails if the directory is gone, or, with `marked`, if the place has lost the file that says
    /// whose it is: then a volume was unmounted, and what is seen is its mount point, or a bucket
    /// was emptied.
    pub(crate) async fn still_there(&self, marked: bool) -> Result<(), Error> {
        match &self.place {
            Place::Memory => Ok(()),
            Place::Dir(dir) => self.is_dir_there(dir, marked).await,
            Place::Bucket(_) if marked => self.is_marked().await,
            Place::Bucket(_) => Ok(()),
        }
    }

    async fn is_marked(&self) -> Result<(), Error> {
        let doing = "looking for cluster.json";
        match self.size(doing, names::cluster()).await? {
            Some(_) => Ok(()),
            None => Err(Error::Unavailable {
                at: self.url().to_owned(),
                why: "its cluster.json is gone; if the bucket was emptied, what running jobs need \
                      is gone, too"
                    .to_owned(),
                source: None,
            }),
        }
    }

    async fn is_dir_there(&self, dir: &Path, marked: bool) -> Result<(), Error> {
        let file = if marked {
            dir.join(names::cluster().as_ref())
        } else {
            dir.to_owned()
        };
        let looked = self.run("looking at the directory", async move {
            Ok(tokio::fs::metadata(file).await)
        });
        match looked.await? {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::Unavailable {
                at: self.url().to_owned(),
                why: if marked {
                    "its cluster.json is gone; if it is a volume, mount it again".to_owned()
                } else {
                    "the directory is gone; if it is a volume, mount it again".to_owned()
                },
                source: Some(error.into()),
            }),
            Err(error) => Err(Error::of_io(self.url(), "looking at the directory", error)),
        }
    }

    /// Fails if the store ignores that a file must not be there yet: two clusters could then both
    /// believe that it is theirs. Asked once, and not of a directory.
    pub(crate) async fn creates_once(&self) -> Result<(), Error> {
        let Place::Bucket(bucket) = &self.place else {
            return Ok(());
        };
        if self.creates_once.get().is_some() {
            return Ok(());
        }
        let doing = "finding out whether it can create files";
        let path = names::check();
        let first = self.create(doing, path.clone(), Bytes::from_static(b"first"));
        let is_missing = |error: &Error| error.answer().is_some_and(Answer::is_no_bucket);
        let cannot = |error: &Error| error.answer().is_some_and(Answer::is_not_implemented);
        match first.await {
            Ok(_) => {}
            Err(error) if is_missing(&error) => {
                return Err(bucket.refused("there is no such bucket; make it first"));
            }
            Err(error) if cannot(&error) => return Err(bucket.refused(UNCONDITIONAL)),
            Err(error) => return Err(error),
        }
        let second = self.create(doing, path.clone(), Bytes::from_static(b"second"));
        let second = second.await;
        let found = self.read(doing, "a check", path.clone(), MAX_CHECK).await;
        let deleted = self.delete("deleting the file of a check", path).await;
        let is_first = found?.as_deref() == Some(b"first");
        if second? != Written::Already || !is_first {
            return Err(bucket.refused(UNCONDITIONAL));
        }
        deleted?;
        let _ = self.creates_once.set(());
        Ok(())
    }
}
