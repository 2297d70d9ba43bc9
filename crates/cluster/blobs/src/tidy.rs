//! The janitor's work on the checkpoints of one job (R15).

use std::collections::BTreeSet;
use std::sync::Arc;

use incumbent_cluster_core::Attempt;
use incumbent_cluster_core::checkpoint::{CheckpointId, RestorePoint};
use incumbent_cluster_core::leader::Tidy;
use object_store::path::Path;

use crate::blobs::Blobs;
use crate::error::Error;
use crate::listing::{MOST_UNKNOWN, Verdict};
use crate::names::checkpoints::{self as names, Part};
use crate::names::number;

/// Most files that one call of [`Blobs::tidy`] deletes, so that it ends soon and its caller can see
/// whether it still leads.
pub const MOST_DELETED: usize = 1000;

/// What the janitor did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tidied {
    /// How many files it deleted.
    pub deleted: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Names that this program does not write, at most 20 of them: reported and left alone.
    pub unknown: Vec<String>,
    /// Whether there is more to delete: call it again, if you still lead.
    pub more: bool,
}

impl Blobs {
    /// Deletes what no committed record can name any more: below the checkpoints of one incarnation
    /// of one job,
    ///
    /// - in the present attempt, checkpoints that are not listed and have a lower number than the
    ///   newest that is;
    /// - in lower attempts, once nothing of them runs, all files that no listed manifest names.
    ///
    /// Last files of the present attempt stay, and so do later attempts, savepoints, and names that
    /// this program does not write. It may be called with a list that is out of date: what is
    /// unlisted never becomes listed again. At most [`MOST_DELETED`] files are deleted.
    ///
    /// # Errors
    ///
    /// - [`Error::NotOurs`]: the blobs belong to another cluster, or [`Blobs::belongs_to`] was not
    ///   called. Nothing was deleted.
    /// - [`Error::NotFound`], [`Error::Damaged`], [`Error::OtherVersion`], [`Error::TooLarge`]: a
    ///   listed manifest cannot be read. Nothing was deleted.
    /// - [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`]; some may be deleted.
    pub async fn tidy(&self, tidy: &Tidy) -> Result<Tidied, Error> {
        self.still_ours().await?;
        let doing = format!("tidying the checkpoints of job {}", tidy.job);
        let root = names::checkpoints(tidy.job, tidy.incarnation);
        let mut tidied = Tidied::default();
        let dirs = self.deletable(&doing, &root, tidy, &mut tidied).await?;
        if dirs.is_empty() {
            return Ok(tidied);
        }
        let named = Arc::new(self.named(tidy).await?);
        let mut found = Vec::new();
        for dir in dirs {
            let most = MOST_DELETED - found.len();
            let below = names::below(&root, &dir);
            let judge = judge(dir, Arc::clone(&named));
            let sifted = self.store.sift(&doing, below, most, judge).await?;
            found.extend(sifted.taken);
            tidied.report(sifted.unknown);
            if sifted.more {
                tidied.more = true;
                break;
            }
        }
        tidied.deleted = found.len() as u64;
        tidied.bytes = found.iter().map(|entry| entry.size).sum();
        let paths = found.into_iter().map(|entry| entry.path).collect();
        self.store.delete_all(&doing, paths).await?;
        Ok(tidied)
    }

    /// The directories below the root in which something may be deleted.
    async fn deletable(
        &self,
        doing: &str,
        root: &Path,
        tidy: &Tidy,
        tidied: &mut Tidied,
    ) -> Result<Vec<String>, Error> {
        let mut deletable = Vec::new();
        let attempts = self.store.level(doing, root.clone()).await?;
        tidied.report(attempts.files.iter().map(|file| file.path.to_string()));
        for name in attempts.dirs {
            match number(&name).map(Attempt) {
                None => tidied.report([names::below(root, &name).to_string()]),
                Some(attempt) if attempt < tidy.attempt && tidy.are_older_gone => {
                    deletable.push(name);
                }
                Some(attempt) if attempt == tidy.attempt => {
                    let dir = names::below(root, &name);
                    let parts = self.store.level(doing, dir.clone()).await?;
                    tidied.report(parts.files.iter().map(|file| file.path.to_string()));
                    for part in parts.dirs {
                        match names::part(&part) {
                            None => tidied.report([names::below(&dir, &part).to_string()]),
                            Some(Part::Number(number)) if is_passed(tidy, number) => {
                                deletable.push(format!("{name}/{part}"));
                            }
                            Some(Part::Number(_) | Part::Final) => {}
                        }
                    }
                }
                Some(_) => {}
            }
        }
        Ok(deletable)
    }

    /// All files that listed manifests name, and these themselves, relative to the root.
    async fn named(&self, tidy: &Tidy) -> Result<BTreeSet<String>, Error> {
        let mut named = BTreeSet::new();
        for point in listed(tidy) {
            let manifest = self.manifest(point).await?;
            let CheckpointId {
                attempt, number, ..
            } = point.from;
            named.insert(format!("{attempt}/{number}/{}", point.manifest.object));
            let files = manifest.ranks.into_iter().flat_map(|part| part.files);
            named.extend(files.map(|file| file.object));
        }
        Ok(named)
    }
}

/// Whether this number of the present attempt is over and was not kept.
fn is_passed(tidy: &Tidy, number: u64) -> bool {
    let is_listed =
        |point: &RestorePoint| (point.from.attempt, point.from.number) == (tidy.attempt, number);
    let newest = listed(tidy).map(|point| point.from.number).max();
    newest.is_some_and(|newest| number < newest) && !listed(tidy).any(is_listed)
}

/// What is listed and lies below this root.
fn listed(tidy: &Tidy) -> impl Iterator<Item = &RestorePoint> {
    tidy.listed.iter().filter(|point| {
        let CheckpointId {
            job,
            incarnation,
            savepoint,
            ..
        } = point.from;
        (job, incarnation, savepoint) == (tidy.job, tidy.incarnation, None)
    })
}

/// What becomes of a file below one of the directories.
fn judge(dir: String, named: Arc<BTreeSet<String>>) -> impl FnMut(&str) -> Verdict + Send {
    move |name| {
        let rest = format!("{dir}/{name}");
        if names::known(&rest).is_none() {
            Verdict::Unknown
        } else if named.contains(&rest) {
            Verdict::Keep
        } else {
            Verdict::Take
        }
    }
}

impl Tidied {
    fn report(&mut self, unknown: impl IntoIterator<Item = String>) {
        let room = MOST_UNKNOWN - self.unknown.len();
        self.unknown.extend(unknown.into_iter().take(room));
    }
}
