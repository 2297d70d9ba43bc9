//! [`Blobs`]: the handle that everything else is a method of.

use std::ffi::OsString;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::artifact::MAX_ARTIFACT;
use crate::checkpoint::MAX_CHECKPOINT_FILE;
use crate::error::Error;
use crate::names;
use crate::place::Place;
use crate::store::{Store, Written};

/// The only format of `cluster.json`.
const FORMAT: u64 = 1;

/// More than any `cluster.json` or `place.json` has.
const MAX_CLUSTER_FILE: usize = 4096;

/// Both files, and what they say.
const CLUSTER_FILE: (&str, &str) = ("cluster.json", "the id of a cluster");
const PLACE_FILE: (&str, &str) = ("place.json", "the mark of a place");

/// What a check writes.
const CHECK: &[u8] = b"incumbent checks that these blobs can be written, read and deleted\n";

/// The files of a cluster. Clones share one set of limits.
///
/// # Cancel safety
///
/// Dropping the future of any operation leaves a whole file or none. A write, a rename or a removal
/// that had begun may still happen; all of them may be repeated.
#[derive(Debug, Clone)]
pub struct Blobs {
    pub(crate) store: Arc<Store>,
    /// The cluster that these blobs belong to, once that is settled.
    cluster: Arc<OnceLock<String>>,
    /// The mark of this place, once that is settled.
    place: Arc<OnceLock<String>>,
    pub(crate) largest_artifact: u64,
    pub(crate) largest_checkpoint_file: u64,
}

/// The content of `cluster.json`.
#[derive(Serialize, Deserialize)]
struct Owner {
    format: u64,
    cluster: String,
    /// The mark of the place. If an older version claimed it, it is in `place.json` instead: every
    /// store can make a file only once, and not every one can replace one only if it is unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

/// The content of `place.json`.
#[derive(Serialize, Deserialize)]
struct Mark {
    format: u64,
    place: String,
}

impl Blobs {
    /// Opens
    ///
    /// - `file:///DIRECTORY`, which is made if it is missing;
    /// - `s3://BUCKET/PREFIX`, a bucket that is there, and in it what begins with the prefix, if
    ///   one is given. The environment says where it is and who this process is: see the
    ///   [crate](crate#a-bucket);
    /// - `memory:`, which is this handle's and its clones' alone and ends with them.
    ///
    /// # Errors
    ///
    /// - [`Error::Address`]: the URL is no such URL, its path is relative, or not a directory, or a
    ///   setting is wrong.
    /// - [`Error::Denied`], [`Error::Full`], [`Error::Unavailable`]: the system refused to open or
    ///   make the directory. [`Blobs::belongs_to`] and [`Blobs::check`] find what opening alone
    ///   does not; a bucket is not asked before.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let utf8 = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let settings = std::env::vars_os().filter_map(utf8).collect();
        Self::open_with(url, settings).await
    }

    /// As [`Blobs::open`], with these settings instead of those of the environment.
    ///
    /// # Errors
    ///
    /// As [`Blobs::open`].
    pub async fn open_with(url: &str, settings: Vec<(String, String)>) -> Result<Self, Error> {
        let store = Store::open(Place::parse(url)?, settings).await?;
        Ok(Self {
            store: Arc::new(store),
            cluster: Arc::default(),
            place: Arc::default(),
            largest_artifact: MAX_ARTIFACT,
            largest_checkpoint_file: MAX_CHECKPOINT_FILE,
        })
    }

    /// Another limit for artifacts than [`MAX_ARTIFACT`].
    #[must_use]
    pub fn with_largest_artifact(mut self, bytes: u64) -> Self {
        self.largest_artifact = bytes;
        self
    }

    /// Another limit for files of checkpoints than [`MAX_CHECKPOINT_FILE`].
    #[must_use]
    pub fn with_largest_checkpoint_file(mut self, bytes: u64) -> Self {
        self.largest_checkpoint_file = bytes;
        self
    }

    /// The URL, without anything secret.
    pub fn url(&self) -> &str {
        self.store.url()
    }

    /// The cluster that these blobs were found to belong to.
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.get().map(String::as_str)
    }

    /// The mark of this place: random, drawn when the place was claimed, and another one at every
    /// other place, also if its URL is the same. Only a copy has it, too. Known as soon as
    /// [`Blobs::cluster`] is.
    pub fn place(&self) -> Option<&str> {
        self.place.get().map(String::as_str)
    }

    /// Makes sure that these blobs belong to this cluster, and to no other: two clusters on one
    /// directory would delete each other's files. If they belong to none, they belong to this one
    /// from now on. To be called at start-up, with the id that the cluster's record holds.
    ///
    /// # Errors
    ///
    /// - [`Error::Address`]: there is no such bucket, or the store cannot create a file only if it
    ///   is not there yet, which a cluster relies on.
    /// - [`Error::NotOurs`]: another cluster was here first.
    /// - [`Error::Damaged`]: `cluster.json` or `place.json` is not what a cluster writes; a person
    ///   has to look.
    /// - [`Error::Denied`], [`Error::Full`], [`Error::Unavailable`]: as [`Blobs::check`].
    ///
    /// # Panics
    ///
    /// If this handle or a clone of it was told another id before.
    pub async fn belongs_to(&self, cluster: &str) -> Result<(), Error> {
        self.still_there().await?;
        self.store.creates_once().await?;
        if self.owner().await?.is_none() {
            let owner = Owner {
                format: FORMAT,
                cluster: cluster.to_owned(),
                place: Some(names::random()),
            };
            let content = serde_json::to_vec(&owner).expect("a number and a text are JSON");
            let doing = "writing cluster.json";
            let written = self.store.create(doing, names::cluster(), content).await?;
            if written == Written::New {
                tracing::info!(
                    blobs = self.url(),
                    cluster,
                    "the blobs belong to this cluster now"
                );
            }
        }
        // Read also what was just written: another process may have been faster.
        let place = match self.still_owned_by(cluster).await?.place {
            Some(place) => place,
            None => self.mark().await?,
        };
        // Unless it is known already.
        let _ = self.place.set(place);
        let known = self.cluster.get_or_init(|| cluster.to_owned());
        assert_eq!(known, cluster, "a process belongs to one cluster");
        Ok(())
    }

    /// Writes, reads and deletes a small file. To be called at start-up, and before a job that
    /// needs blobs is restarted.
    ///
    /// # Errors
    ///
    /// - [`Error::Denied`], [`Error::Full`]: a person has to grant it, or to make room.
    /// - [`Error::Unavailable`]: try again later. Also if a directory or a volume has vanished.
    /// - [`Error::Damaged`]: the file was read back as something else; the disk is broken.
    pub async fn check(&self) -> Result<(), Error> {
        self.still_there().await?;
        let path = names::check();
        let doing = "writing a file to check it";
        self.store
            .create(doing, path.clone(), Bytes::from_static(CHECK))
            .await?;
        let doing = "reading the file of a check";
        let read = self
            .store
            .read(doing, "the file of a check", path.clone(), CHECK.len())
            .await;
        let deleted = self
            .store
            .delete("deleting the file of a check", path)
            .await;
        if read?.as_deref() != Some(CHECK) {
            return Err(Error::Damaged {
                what: format!("the file of a check at {}", self.url()),
                expected: "what was written a moment ago".to_owned(),
                found: "something else".to_owned(),
            });
        }
        deleted.map(drop)
    }

    /// Fails if the directory is gone, or is not the one that was opened. Before each write, and
    /// before anything is reported as missing: an empty mount point must not look like blobs.
    pub(crate) async fn still_there(&self) -> Result<(), Error> {
        self.store.still_there(self.cluster.get().is_some()).await
    }

    /// The answer to a question for a file that was not found.
    pub(crate) async fn not_found(&self, what: &str) -> Error {
        match self.still_there().await {
            Ok(()) => Error::NotFound {
                what: what.to_owned(),
                at: self.url().to_owned(),
            },
            Err(outage) => outage,
        }
    }

    /// Whether a write that failed has happened in spite of it: its name was drawn, so a file of
    /// its length that is there now is the one that was written.
    pub(crate) async fn settle(&self, error: Error, drawn: Path, size: u64) -> Result<(), Error> {
        // What a directory does not confirm may not be on the disk.
        let is_lost = matches!(error, Error::Unavailable { .. }) && self.store.is_remote();
        let doing = "asking for a file whose write was not answered";
        if is_lost && self.store.size(doing, drawn).await.ok().flatten() == Some(size) {
            return Ok(());
        }
        Err(error)
    }

    /// Fails unless the blobs are this cluster's at this moment.
    pub(crate) async fn still_ours(&self) -> Result<(), Error> {
        self.still_there().await?;
        match self.cluster.get() {
            Some(cluster) => self.still_owned_by(cluster).await.map(drop),
            None => Err(self.not_ours("unknown", self.owner().await?)),
        }
    }

    async fn still_owned_by(&self, cluster: &str) -> Result<Owner, Error> {
        match self.owner().await? {
            Some(owner) if owner.cluster == cluster => Ok(owner),
            owner => Err(self.not_ours(cluster, owner)),
        }
    }

    fn not_ours(&self, ours: &str, owner: Option<Owner>) -> Error {
        Error::NotOurs {
            at: self.url().to_owned(),
            ours: ours.to_owned(),
            theirs: owner.map(|owner| owner.cluster),
        }
    }

    /// What `cluster.json` says.
    async fn owner(&self) -> Result<Option<Owner>, Error> {
        let doing = "reading cluster.json";
        let path = names::cluster();
        let Some(content) = self
            .store
            .read(doing, "cluster.json", path, MAX_CLUSTER_FILE)
            .await?
        else {
            return Ok(None);
        };
        match serde_json::from_slice::<Owner>(&content) {
            Ok(owner) if owner.format == FORMAT => Ok(Some(owner)),
            Ok(owner) => Err(self.unreadable(CLUSTER_FILE, format!("format {}", owner.format))),
            Err(error) => Err(self.unreadable(CLUSTER_FILE, error.to_string())),
        }
    }

    /// The mark in `place.json`, which the first node that looks for it draws.
    async fn mark(&self) -> Result<String, Error> {
        let mark = Mark {
            format: FORMAT,
            place: names::random(),
        };
        let content = serde_json::to_vec(&mark).expect("a number and a text are JSON");
        let doing = "writing place.json";
        self.store.create(doing, names::place(), content).await?;
        // Read also what was just written: another process may have been faster.
        let doing = "reading place.json";
        let read = self
            .store
            .read(doing, "place.json", names::place(), MAX_CLUSTER_FILE);
        let Some(content) = read.await? else {
            return Err(Error::Unavailable {
                at: self.url().to_owned(),
                why: "its place.json is gone a moment after it was written".to_owned(),
                source: None,
            });
        };
        match serde_json::from_slice::<Mark>(&content) {
            Ok(mark) if mark.format == FORMAT => Ok(mark.place),
            Ok(mark) => Err(self.unreadable(PLACE_FILE, format!("format {}", mark.format))),
            Err(error) => Err(self.unreadable(PLACE_FILE, error.to_string())),
        }
    }

    fn unreadable(&self, (file, expected): (&str, &str), found: String) -> Error {
        Error::Damaged {
            what: format!("{file} of the blobs at {}", self.url()),
            expected: format!("{expected}, format {FORMAT}"),
            found,
        }
    }
}
