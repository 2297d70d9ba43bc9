//! The directory of a store: its address and its marker.

use std::path::{Path, PathBuf};

use incumbent_backend::{Address, BadAddress};
use serde::{Deserialize, Serialize};

use crate::codec::FORMAT;
use crate::disk::{Disk, Durability};
use crate::error::FileError;
use crate::hook::Hook;
use crate::names::{self, MARKER, Number};

/// The prefix of the names of unfinished markers.
const UNFINISHED_MARKER: &str = "@marker";

/// A directory that is a store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) dir: PathBuf,
    pub(crate) disk: Disk,
    /// Draws the number that a new key begins with. Only tests replace it.
    pub(crate) first: fn() -> Number,
}

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    incumbent: String,
    format: u64,
    /// What a commit survives. This belongs to the store and not to the address: if one process
    /// acknowledges writes as being on the disk, another must not build on writes that are not.
    #[serde(default = "full")]
    sync: String,
}

fn full() -> String {
    Durability::Full.name().to_owned()
}

impl Store {
    /// Opens the directory of the address, and makes it a store if it is new or empty.
    pub(crate) fn open(address: &Address, hook: Hook) -> Result<Self, FileError> {
        let (dir, asked) = parse(address)?;
        // A store is always made with full durability, whatever its commits will survive: this is
        // done once, and another process that is faster may want another mode.
        let durability = Durability::Full;
        let mut store = Self {
            dir,
            disk: Disk { durability, hook },
            first: Number::fresh_first,
        };
        let mut marked = store.marked()?;
        if marked.is_none() {
            store.disk.make_private_dirs(&store.dir)?;
            store.refuse_foreign()?;
            store.mark(asked.unwrap_or(Durability::Full))?;
            // Another process may have been faster, and may have chosen another mode.
            marked = store.marked()?;
        }
        let Some(agreed) = marked else {
            let why = "it was removed while the store was made";
            return Err(FileError::damaged(&store.marker(), why));
        };
        if let Some(asked) = asked.filter(|asked| *asked != agreed) {
            return Err(store.disagrees(address, asked, agreed).into());
        }
        store.disk.durability = agreed;
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

    /// Whether the directory of the address is already a store. Changes nothing.
    pub(crate) fn is_there(address: &Address) -> Result<bool, FileError> {
        let (dir, _) = parse(address)?;
        let store = Self {
            dir,
            disk: Disk {
                durability: Durability::Full,
                hook: Hook::default(),
            },
            first: Number::fresh_first,
        };
        if store.marked()?.is_some() {
            return Ok(true);
        }
        match store.refuse_foreign() {
            // It may have become a store by now.
            Ok(()) => Ok(store.marked()?.is_some()),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn disagrees(&self, address: &Address, asked: Durability, agreed: Durability) -> BadAddress {
        let (asked, agreed) = (asked.name(), agreed.name());
        address.unusable(format!(
            "it says sync={asked}, but the store was made with sync={agreed}, and all who use it must agree; leave sync out \
             of the address, or stop everybody, run `sync`, and write \"sync\":\"{asked}\" into {}",
            self.marker().display()
        ))
    }

    /// Fails unless the store is still there. If a volume is gone, its empty mount point must not
    /// look like a store without records.
    pub(crate) fn still_there(&self) -> Result<(), FileError> {
        self.disk.look(&self.marker())
    }

    /// What its commits survive. `None` if there is no marker.
    fn marked(&self) -> Result<Option<Durability>, FileError> {
        let path = self.marker();
        let content = match self.disk.read(&path) {
            Ok(content) => content,
            Err(error) if error.is_missing() => return Ok(None),
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
        match Durability::of_name(&marker.sync) {
            Some(durability) => Ok(Some(durability)),
            None => {
                let why = format!("its sync is full or none, not {:?}", marker.sync);
                Err(FileError::damaged(&path, why))
            }
        }
    }

    fn refuse_foreign(&self) -> Result<(), FileError> {
        // A new file system has a `lost+found`, and a process that was killed here has left an
        // unfinished marker.
        let ours = |name: &String| name == "lost+found" || name.starts_with(UNFINISHED_MARKER);
        let Some(foreign) = self
            .disk
            .list(&self.dir)?
            .into_iter()
            .find(|name| !ours(name))
        else {
            return Ok(());
        };
        // Another process may have made it a store since we looked for the marker. That process
        // creates the marker before anything else.
        if self.marked()?.is_some() {
            return Ok(());
        }
        Err(FileError::damaged(
            &self.dir,
            format!("it holds {foreign:?} and no {MARKER}, so it is not a store"),
        ))
    }

    fn mark(&self, durability: Durability) -> Result<(), FileError> {
        let marker = Marker {
            incumbent: "store".to_owned(),
            format: FORMAT,
            sync: durability.name().to_owned(),
        };
        let content = serde_json::to_vec(&marker).expect("plain fields become JSON");
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
            // Another process was faster.
            Err(error) if error.is_taken() => {}
            linked => linked?,
        }
        self.disk.sync_dir(&self.dir)
    }

    fn marker(&self) -> PathBuf {
        self.dir.join(MARKER)
    }
}

/// The errors of file systems without hard links. A directory without write permission cannot cause
/// them: writing the draft would have failed before.
fn cannot_link(error: &FileError) -> bool {
    use std::io::ErrorKind as K;
    matches!(
        error.kind(),
        Some(K::PermissionDenied | K::Unsupported | K::TooManyLinks)
    )
}

/// The directory, and the durability of commits if the address names it.
fn parse(address: &Address) -> Result<(PathBuf, Option<Durability>), FileError> {
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
    let mut durability = None;
    for option in address.options() {
        durability = match option {
            ("sync", name) => {
                let known = Durability::of_name(name).ok_or_else(|| {
                    address.unusable(format!("sync is full or none, not {name:?}"))
                })?;
                Some(known)
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
