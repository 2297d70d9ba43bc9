//! Finding the newest version of a key.

use std::path::{Path, PathBuf};

use incumbent_backend::Key;

use crate::codec::{self, Kind};
use crate::disk::Disk;
use crate::error::FileError;
use crate::group::Group;
use crate::names::{self, Generation, Number};
use crate::seen::Seen;
use crate::store::Store;

/// Attempts to find the newest version by listing. An attempt fails only if another process has
/// closed a generation meanwhile, that is, has written dozens of versions. So many failures in a
/// row mean that something is wrong.
const LISTINGS: usize = 200;

/// The versions of one key.
pub(crate) struct Versions<'a> {
    pub(crate) group: Group<'a>,
    pub(crate) key: &'a Key,
    pub(crate) dir: PathBuf,
    pub(crate) seen: &'a Seen,
}

/// The result of a look at the directory of a key: where the search begins.
enum Located {
    /// The key does not exist.
    Absent,
    /// This version was there, and maybe newer ones.
    At(Number),
    /// No version was found, because the key is changing or damaged.
    Nowhere,
}

impl<'a> Versions<'a> {
    pub(crate) fn new(store: &'a Store, seen: &'a Seen, key: &'a Key) -> Self {
        let group = Group::new(store, key.group());
        let dir = group.dir.join(names::item_dir(key));
        Self {
            group,
            key,
            dir,
            seen,
        }
    }

    /// The newest body. It is synced to the disk first, so that nobody acts on a version that a
    /// loss of power takes back.
    pub(crate) fn read(&self) -> Result<Option<(Number, Vec<u8>)>, FileError> {
        let read = |path: &Path| codec::decode(Kind::Body, path, self.disk().read(path)?);
        let newest = self.newest(read)?;
        if let Some((number, _)) = newest {
            self.settle(number)?;
        }
        Ok(newest)
    }

    /// The number of the newest version.
    pub(crate) fn number(&self) -> Result<Option<Number>, FileError> {
        Ok(self
            .newest(|path| self.disk().look(path))?
            .map(|(number, ())| number))
    }

    /// Finds the newest version, and takes what the caller wants from its file.
    ///
    /// A number was the newest at the moment when the next one was missing, provided that its
    /// generation exists after that moment. A closed generation never comes back, so the generation
    /// existed at that moment too, and the next number was not in it. Where the search begins only
    /// matters for speed.
    fn newest<T>(
        &self,
        take: impl Fn(&Path) -> Result<T, FileError>,
    ) -> Result<Option<(Number, T)>, FileError> {
        let mut start = self
            .seen
            .newest(self.key)
            .map_or_else(|| self.locate(), |seen| Ok(Located::At(seen)))?;
        for _ in 0..LISTINGS {
            match start {
                Located::Absent => {
                    self.seen.forget(self.key);
                    return Ok(None);
                }
                Located::At(number) => {
                    if let Some((number, taken)) = self.search(number, &take)? {
                        self.seen.see(self.key, number);
                        return Ok(Some((number, taken)));
                    }
                }
                Located::Nowhere => {}
            }
            start = self.locate()?;
        }
        Err(FileError::damaged(
            &self.dir,
            "no newest version can be found in it; stop all processes that use this store and \
             move it away: the key is then absent",
        ))
    }

    /// Searches forward from a number that was there, until there is no newer one. `None` if its
    /// generation is gone.
    fn search<T>(
        &self,
        mut number: Number,
        take: impl Fn(&Path) -> Result<T, FileError>,
    ) -> Result<Option<(Number, T)>, FileError> {
        // If the next generation cannot be given its name, it is still in this prepared directory.
        let mut prepared = None;
        loop {
            let next = self.after(number);
            if self.disk().exists(&next)? {
                if number.is_last() {
                    let Some(successor) = some(self.read_forward(&next))? else {
                        return Ok(None);
                    };
                    let completed = self.complete(number.generation(), &successor);
                    prepared = completed.err().map(|_| self.dir.join(successor));
                }
                number = number.next();
                continue;
            }
            if let Some(taken) = some(take(&self.place(number)))? {
                return Ok(Some((number, taken)));
            }
            // The generation still has its first name. So its final name did not exist then, and
            // neither did a newer version.
            let Some(prepared) = prepared else {
                return Ok(None);
            };
            return Ok(some(take(&prepared.join(number.name())))?.map(|taken| (number, taken)));
        }
    }

    fn locate(&self) -> Result<Located, FileError> {
        let Some(names) = some(self.disk().list(&self.dir))? else {
            self.group.store.still_there()?;
            return Ok(Located::Absent);
        };
        let Some(generation) = names
            .iter()
            .filter_map(|name| Generation::parse(name))
            .max()
        else {
            return Ok(Located::Nowhere);
        };
        let Some(names) = some(self.disk().list(&self.generation(generation)))? else {
            return Ok(Located::Nowhere);
        };
        let numbers = names.iter().filter_map(|name| Number::parse(name));
        // The forward is left out: the search finds it after the last version.
        Ok(numbers
            .filter(|number| number.generation() == generation)
            .max()
            .map_or(Located::Nowhere, Located::At))
    }

    fn read_forward(&self, path: &Path) -> Result<String, FileError> {
        let body = codec::decode(Kind::Forward, path, self.disk().read(path)?)?;
        let successor = String::from_utf8_lossy(&body).into_owned();
        match Generation::of_successor(&successor) {
            Some(_) => Ok(successor),
            None => Err(FileError::damaged(path, "what it names is no generation")),
        }
    }

    /// Syncs this version to the disk, under all its names, unless this handle knows that it is
    /// there.
    pub(crate) fn settle(&self, number: Number) -> Result<(), FileError> {
        let settled = self.seen.settled(self.key);
        if settled == Some(number) {
            return Ok(());
        }
        // Another generation may belong to another key of this name, if the earlier key was removed
        // by hand.
        if settled.map(Number::generation) != Some(number.generation()) {
            self.disk().sync_dir(&self.group.dir)?;
            self.disk().sync_dir(&self.dir)?;
        }
        let generation = number.generation();
        if some(self.disk().sync_dir(&self.generation(generation)))?.is_none() {
            // The generation does not have its name yet, and we may not give it. Then the forward
            // counts, and the forward lies in the generation before. If that one is gone too, this
            // generation is already on the disk: it is synced before the other is removed.
            some(self.disk().sync_dir(&self.generation(generation.before())))?;
        }
        self.seen.settle(self.key, number);
        Ok(())
    }

    pub(crate) fn generation(&self, generation: Generation) -> PathBuf {
        self.dir.join(generation.name())
    }

    /// The path of a version once its generation has its name.
    pub(crate) fn place(&self, number: Number) -> PathBuf {
        self.generation(number.generation()).join(number.name())
    }

    /// The path at which the version after this one, or the forward to it, must be linked.
    pub(crate) fn after(&self, number: Number) -> PathBuf {
        self.generation(number.generation())
            .join(number.next().name())
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.group.store.disk
    }
}

/// Turns a "missing" error into `None`.
pub(crate) fn some<T>(result: Result<T, FileError>) -> Result<Option<T>, FileError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}
