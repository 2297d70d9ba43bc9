//! Savepoints: what lies beside their files, so that they are found without a record.

use futures::StreamExt;
use futures::stream::iter;
use incumbent_cluster_core::checkpoint::{RestorePoint, Savepoint};
use incumbent_cluster_core::{Incarnation, JobId, SavepointId};
use object_store::PutPayload;
use serde::{Deserialize, Serialize};

use crate::blobs::Blobs;
use crate::error::Error;
use crate::manifest::Format;
use crate::names::checkpoints as names;
use crate::page::{MAX_PAGE, Page};
use crate::remove::Removed;
use crate::store::Written;

/// The format of the markers of savepoints.
pub const SAVEPOINT_FORMAT: u32 = 1;

/// More than any marker has: it is one entry of a record.
const MAX_MARKER: usize = 64 * 1024;

/// How many markers a listing reads side by side.
const READ_AT_ONCE: usize = 8;

/// A committed savepoint, as its marker describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkedSavepoint {
    /// The job that it is of.
    pub job: JobId,
    /// Which job of that id.
    pub incarnation: Incarnation,
    /// The name of that job, for people.
    pub name: String,
    /// What it is.
    pub savepoint: Savepoint,
}

/// A savepoint in a listing.
#[derive(Debug)]
pub struct ListedSavepoint {
    /// Its id.
    pub id: SavepointId,
    /// What it is, or why that cannot be said: its marker is damaged, or another version wrote it.
    pub marked: Result<MarkedSavepoint, Error>,
}

/// The content of a marker.
#[derive(Serialize, Deserialize)]
struct Marker {
    format: u32,
    #[serde(flatten)]
    marked: MarkedSavepoint,
}

impl MarkedSavepoint {
    /// What an attempt needs to start from it.
    pub fn restore_point(&self) -> RestorePoint {
        let checkpoint = &self.savepoint.checkpoint;
        checkpoint.restore_point(self.job, self.incarnation)
    }
}

impl Blobs {
    /// Says beside the files of a savepoint that it was committed. Only after the swap of the
    /// record. A repeated call changes nothing.
    ///
    /// # Errors
    ///
    /// - [`Error::Damaged`]: another savepoint has that id. Nothing was changed.
    /// - [`Error::Denied`], [`Error::Full`], [`Error::Unavailable`]: as [`Blobs::check`]; the
    ///   record must stay until it is said.
    pub async fn mark_savepoint(
        &self,
        job: JobId,
        incarnation: Incarnation,
        name: &str,
        savepoint: &Savepoint,
    ) -> Result<Written, Error> {
        self.still_there().await?;
        let id = savepoint.id;
        let marked = MarkedSavepoint {
            job,
            incarnation,
            name: name.to_owned(),
            savepoint: savepoint.clone(),
        };
        let marker = Marker {
            format: SAVEPOINT_FORMAT,
            marked,
        };
        let json = serde_json::to_vec(&marker).expect("numbers and texts are JSON");
        let doing = format!("marking savepoint {id}");
        let created = self
            .store
            .create(&doing, names::marker(id), PutPayload::from(json));
        if created.await? == Written::New {
            return Ok(Written::New);
        }
        let there = self.savepoint(id).await?;
        // The name is for people.
        if (there.job, there.incarnation, &there.savepoint) == (job, incarnation, savepoint) {
            return Ok(Written::Already);
        }
        Err(Error::Damaged {
            what: format!("savepoint {id}"),
            expected: format!("that of job {job}"),
            found: format!("one of job {}, or another checkpoint", there.job),
        })
    }

    /// A savepoint, by its marker.
    ///
    /// # Errors
    ///
    /// - [`Error::NotFound`]: it was never committed, or it was removed.
    /// - [`Error::OtherVersion`]: another version wrote it.
    /// - [`Error::Damaged`]: its marker is not what a cluster writes.
    /// - [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`].
    pub async fn savepoint(&self, id: SavepointId) -> Result<MarkedSavepoint, Error> {
        match self.marker(id).await? {
            Some(marked) => Ok(marked),
            None => Err(self.not_found(&format!("savepoint {id}")).await),
        }
    }

    /// The committed savepoints after one of them, in the order of their ids, at most `most` and
    /// [`MAX_PAGE`] of them.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`].
    pub async fn savepoints(
        &self,
        after: Option<SavepointId>,
        most: usize,
    ) -> Result<Page<ListedSavepoint>, Error> {
        let most = most.min(MAX_PAGE);
        let doing = "listing savepoints";
        let found = self.store.level(doing, names::savepoints()).await?.dirs;
        self.still_there().await?;
        let ids = found.iter().filter_map(|name| name.parse().ok());
        let mut ids: Vec<SavepointId> = ids.filter(|id| Some(*id) > after).collect();
        ids.sort_unstable();
        let reading = iter(ids).map(|id| async move { (id, self.marker(id).await) });
        let mut reading = reading.buffered(READ_AT_ONCE);
        let mut page = Page {
            entries: Vec::new(),
            more: false,
        };
        while let Some((id, marked)) = reading.next().await {
            let marked = match marked {
                Err(outage) if outage.is_outage() => return Err(outage),
                Err(unreadable) => Err(unreadable),
                Ok(Some(marked)) => Ok(marked),
                // Not committed, or not yet.
                Ok(None) => continue,
            };
            if page.entries.len() == most {
                page.more = true;
                break;
            }
            page.entries.push(ListedSavepoint { id, marked });
        }
        Ok(page)
    }

    /// Removes a savepoint: first what says that it is one, then its files. Only after no record
    /// names it. If it fails halfway, repeat it. At most [`MAX_PAGE`] files and one are removed.
    ///
    /// # Errors
    ///
    /// - [`Error::NotOurs`]: the blobs belong to another cluster, or [`Blobs::belongs_to`] was not
    ///   called. Nothing was removed.
    /// - [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`]; some may be removed.
    pub async fn remove_savepoint(&self, id: SavepointId) -> Result<Removed, Error> {
        self.still_ours().await?;
        let doing = format!("removing savepoint {id}");
        let mut removed = Removed::default();
        let marker = names::marker(id);
        if let Some(size) = self.store.size(&doing, marker.clone()).await?
            && self.store.delete(&doing, marker).await?
        {
            removed.files += 1;
            removed.bytes += size;
        }
        let is_ours = |rest: &str| names::known_of_savepoint(rest).is_some();
        self.remove_below(&doing, names::savepoint(id), is_ours, &mut removed)
            .await?;
        Ok(removed)
    }

    /// What a marker says; `None` if there is none.
    async fn marker(&self, id: SavepointId) -> Result<Option<MarkedSavepoint>, Error> {
        let what = format!("the marker of savepoint {id}");
        let doing = format!("reading {what}");
        let read = self
            .store
            .read(&doing, &what, names::marker(id), MAX_MARKER);
        let Some(json) = read.await? else {
            return Ok(None);
        };
        let damaged = |found: String| Error::Damaged {
            what: what.clone(),
            expected: format!("that savepoint, in format {SAVEPOINT_FORMAT}"),
            found,
        };
        let unreadable = |error: serde_json::Error| damaged(error.to_string());
        let Format { format } = serde_json::from_slice(&json).map_err(unreadable)?;
        if format != SAVEPOINT_FORMAT {
            return Err(Error::OtherVersion {
                what,
                found: format,
                known: SAVEPOINT_FORMAT,
            });
        }
        let Marker { marked, .. } = serde_json::from_slice(&json).map_err(unreadable)?;
        let savepoint = &marked.savepoint;
        if savepoint.id != id || savepoint.checkpoint.savepoint != Some(id) {
            return Err(damaged(format!("savepoint {}", savepoint.id)));
        }
        let point = marked.restore_point();
        if names::manifest(&point.from, &point.manifest.object).is_none() {
            return Err(damaged("a manifest elsewhere".to_owned()));
        }
        Ok(Some(marked))
    }
}
