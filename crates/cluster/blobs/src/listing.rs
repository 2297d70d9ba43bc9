//! Listing what is in a place.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use crate::error::Error;
use crate::names;
use crate::page::Entry;
use crate::place::Place;
use crate::store::Store;

/// How many names a listing reports that are not ours. One says already that somebody else writes
/// here.
pub(crate) const MOST_UNKNOWN: usize = 20;

/// What is in one directory.
#[derive(Debug)]
pub(crate) struct Level {
    /// The names of its directories.
    pub(crate) dirs: Vec<String>,
    /// Its files.
    pub(crate) files: Vec<Entry>,
}

/// What is to be done with a file that was listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is wanted.
    Take,
    /// It stays.
    Keep,
    /// We do not write such names: it stays, and is reported.
    Unknown,
}

/// What was found in a listing.
#[derive(Debug, Default)]
pub(crate) struct Sifted {
    /// What is wanted.
    pub(crate) taken: Vec<Entry>,
    /// Paths that are not ours, at most [`MOST_UNKNOWN`].
    pub(crate) unknown: Vec<String>,
    /// How many there are.
    pub(crate) strangers: u64,
    /// Whether more is wanted than was asked for.
    pub(crate) more: bool,
}

impl Store {
    /// The names below a directory that are greater than `after`, in order, at most `most` of them.
    ///
    /// In a directory, every file is looked at: it has no order of its own.
    pub(crate) async fn list(
        &self,
        doing: &str,
        dir: Path,
        after: Option<String>,
        most: usize,
    ) -> Result<Vec<Entry>, Error> {
        let inner = Arc::clone(&self.inner);
        let is_ordered = match &self.place {
            Place::Bucket(bucket) => bucket.is_ordered(),
            Place::Dir(_) | Place::Memory => false,
        };
        let listing = async move {
            let mut least: BTreeMap<String, Entry> = BTreeMap::new();
            let mut files = match &after {
                Some(after) if is_ordered => {
                    inner.list_with_offset(Some(&dir), &names::checkpoints::below(&dir, after))
                }
                _ => inner.list(Some(&dir)),
            };
            while let Some(file) = files.next().await {
                let file = file?;
                let Some(name) = below(&dir, &file.location) else {
                    continue;
                };
                if after.as_deref().is_some_and(|after| name.as_str() <= after) {
                    continue;
                }
                least.insert(name.clone(), entry(name, file));
                if least.len() > most {
                    least.pop_last();
                    if is_ordered {
                        break;
                    }
                }
            }
            Ok(least)
        };
        let found = self.run(doing, listing).await?;
        Ok(found.into_values().collect())
    }

    /// What is in a directory, without what is in directories there.
    pub(crate) async fn level(&self, doing: &str, dir: Path) -> Result<Level, Error> {
        let inner = Arc::clone(&self.inner);
        let listing = async move {
            let found = inner.list_with_delimiter(Some(&dir)).await?;
            let dirs = found.common_prefixes.iter();
            let files = found.objects.into_iter();
            Ok(Level {
                dirs: dirs.filter_map(|path| below(&dir, path)).collect(),
                files: files
                    .filter_map(|file| Some(entry(below(&dir, &file.location)?, file)))
                    .collect(),
            })
        };
        self.run(doing, listing).await
    }

    /// The files below a directory that `judge` takes, at most `most` of them, and what it does not
    /// know. Looks no further when it has them.
    pub(crate) async fn sift(
        &self,
        doing: &str,
        dir: Path,
        most: usize,
        mut judge: impl FnMut(&str) -> Verdict + Send + 'static,
    ) -> Result<Sifted, Error> {
        let inner = Arc::clone(&self.inner);
        let listing = async move {
            let mut sifted = Sifted::default();
            let mut files = inner.list(Some(&dir));
            while let Some(file) = files.next().await {
                let file = file?;
                let Some(name) = below(&dir, &file.location) else {
                    continue;
                };
                match judge(&name) {
                    Verdict::Keep => {}
                    Verdict::Take if sifted.taken.len() == most => {
                        sifted.more = true;
                        break;
                    }
                    Verdict::Take => sifted.taken.push(entry(name, file)),
                    Verdict::Unknown => sifted.unknown(&file.location),
                }
            }
            Ok(sifted)
        };
        self.run(doing, listing).await
    }
}

impl Sifted {
    pub(crate) fn unknown(&mut self, path: &Path) {
        self.strangers += 1;
        if self.unknown.len() < MOST_UNKNOWN {
            self.unknown.push(path.to_string());
        }
    }
}

fn entry(name: String, file: ObjectMeta) -> Entry {
    Entry {
        name,
        path: file.location,
        size: file.size,
        last_modified: file.last_modified.timestamp(),
    }
}

/// The rest of a path below a directory.
fn below(dir: &Path, path: &Path) -> Option<String> {
    let parts: Vec<_> = path
        .prefix_match(dir)?
        .map(|part| part.as_ref().to_owned())
        .collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}
