//! The directory of a store: its address, its marker.

use std::path::{Path, PathBuf};

use incumbent_backend::Address;
use serde::{Deserialize, Serialize};

use crate::codec::FORMAT;
use crate::disk::{Disk, Durability};
use crate::error::FileError;
use crate::hook::Hook;
use crate::names::{self, MARKER, Number};

/// What the names of unfinished markers begin with.
const UNFINISHED_MARKER: &str = "@marker";

/// A directory that is a store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) dir: PathBuf,
    pub(crate) disk: Disk,
    /// Draws the number that a new key begins with. Only tests put another one here.
    pub(crate) first: fn() -> Number,
}

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    incumbent: String,
    format: u64,
}

impl Store {
    /// Opens the directory of the address, and makes it a store if it is new or empty.
    pub(crate) fn open(address: &Address, hook: Hook) -> Result<Self, FileError> {
        let (dir, durability) = parse(address)?;
        let store = Self {
            dir,
            disk: Disk { durability, hook },
            first: Number::fresh_first,
        };
        store.disk.make_private_dirs(&store.dir)?;
        if !store.is_marked()? {
            store.refuse_foreign()?;
            store.mark()?;
            store.is_marked()?;
        }
        if store
            .disk
            .exists(&store.dir.join(MARKER.to_ascii_uppercase()))?
        {
            let why = "its file system takes names that differ in case for the same";
            return Err(FileError::Unsuitable {
                path: store.dir,
                why,
            });
        }
        Ok(store)
    }

    /// Fails unless the store is still there: a volume may be gone, and its mount point look like a store without records.
    pub(crate) fn still_there(&self) -> Result<(), FileError> {
        self.disk.look(&self.marker())
    }

    /// False if there is no marker.
    fn is_marked(&self) -> Result<bool, FileError> {
        let path = self.marker();
        let content = match self.disk.read(&path) {
            Ok(content) => content,
            Err(error) if error.is_missing() => return Ok(false),
            Err(error) => return Err(error),
        };
        let marker: Marker = serde_json::from_slice(&content)
            .map_err(|_| FileError::damaged(&path, "it is not the marker of a store"))?;
        if marker.incumbent != "store" {
            return Err(FileError::damaged(&path, "it is not the marker of a store"));
        }
        if marker.format != FORMAT {
            let why = format!(
                "its format is {}, and only {FORMAT} is understood",
                marker.format
            );
            return Err(FileError::damaged(&path, why));
        }
        Ok(true)
    }

    fn refuse_foreign(&self) -> Result<(), FileError> {
        // A new file system has a lost+found, and whoever was killed here left an unfinished marker.
        let ours = |name: &String| name == "lost+found" || name.starts_with(UNFINISHED_MARKER);
        let Some(foreign) = self
            .disk
            .list(&self.dir)?
            .into_iter()
            .find(|name| !ours(name))
        else {
            return Ok(());
        };
        // Another process may have made it a store since we looked for the marker. It puts the marker first.
        if self.is_marked()? {
            return Ok(());
        }
        Err(FileError::damaged(
            &self.dir,
            format!("it holds {foreign:?} and no {MARKER}, so it is not a store"),
        ))
    }

    fn mark(&self) -> Result<(), FileError> {
        let marker = Marker {
            incumbent: "store".to_owned(),
            format: FORMAT,
        };
        let content = serde_json::to_vec(&marker).expect("two plain fields become JSON");
        let draft = self.dir.join(names::fresh(UNFINISHED_MARKER));
        self.disk.write_new(&draft, &content)?;
        let linked = self.disk.link(&draft, &self.marker());
        self.disk.unlink(&draft)?;
        match linked {
            Err(error) if cannot_link(&error) => {
                let why = "its file system has no hard links";
                return Err(FileError::Unsuitable {
                    path: self.dir.clone(),
                    why,
                });
            }
            // Another process was faster, with the same content.
            Err(error) if error.is_taken() => {}
            linked => linked?,
        }
        self.disk.sync_dir(&self.dir)
    }

    fn marker(&self) -> PathBuf {
        self.dir.join(MARKER)
    }
}

/// What file systems say that have no hard links. A directory that must not be written to has refused the draft before.
fn cannot_link(error: &FileError) -> bool {
    use std::io::ErrorKind as K;
    matches!(
        error.kind(),
        Some(K::PermissionDenied | K::Unsupported | K::TooManyLinks)
    )
}

fn parse(address: &Address) -> Result<(PathBuf, Durability), FileError> {
    if address.scheme() != "file" {
        return Err(address.unusable("its scheme is not file").into());
    }
    if !matches!(address.authority(), "" | "localhost") {
        return Err(address
            .unusable("a directory is on this host; write file:///path with three slashes")
            .into());
    }
    let path = Path::new(address.path());
    if !path.is_absolute() {
        return Err(address
            .unusable("its path is not absolute; write file:///path")
            .into());
    }
    let mut durability = Durability::Full;
    for option in address.options() {
        durability = match option {
            ("sync", "full") => Durability::Full,
            ("sync", "none") => Durability::None,
            ("sync", other) => {
                return Err(address
                    .unusable(format!("sync is full or none, not {other:?}"))
                    .into());
            }
            (name, _) => {
                return Err(address
                    .unusable(format!("file has no option {name:?}, only sync"))
                    .into());
            }
        };
    }
    Ok((path.to_owned(), durability))
}
