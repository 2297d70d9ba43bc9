//! [`FileReader`]: reads the files of one rank.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::PathBuf;

use incumbent_stream::{At, Batch, BoxError, Found, Read, Reader, Waker};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bad::Bad;
#[cfg(feature = "s3")]
use crate::bucket::Remote;
use crate::files::Format;
use crate::gzip;
use crate::look::{self, Looking};
#[cfg(feature = "parquet")]
use crate::parquet::Rows;
use crate::place::{Place, Root};
use crate::position::Position;
#[cfg(feature = "parquet")]
use crate::position::RowPosition;
use crate::text::Text;
use crate::{Error, FileSet};

/// How many files are open at once: each holds a descriptor and some 256 KiB. Which was not read
/// for longest is closed, and opened again at its position. What is packed stays open, as its
/// position is far from its beginning.
const MOST_OPEN: usize = 64;

/// Reads the files of one rank.
pub struct FileReader<T> {
    store: Store,
    format: Format<T>,
    bad: Bad,
    at: At,
    /// The first look; empty after it was told.
    first: Vec<String>,
    looking: Option<Looking>,
    splits: HashMap<String, Split>,
    /// Counts reads.
    clock: u64,
}

/// Where files are opened.
enum Store {
    Local {
        dir: PathBuf,
        /// It is one file.
        is_file: bool,
    },
    #[cfg(feature = "s3")]
    Bucket(Remote),
}

/// A file of this rank.
struct Split {
    position: Where,
    open: Option<Open>,
    last_read: u64,
    has_ended: bool,
}

/// How far a file has been read.
enum Where {
    Text(Position),
    #[cfg(feature = "parquet")]
    Rows(RowPosition),
}

enum Open {
    Text(Box<Text>),
    #[cfg(feature = "parquet")]
    Rows(Rows),
}

impl<T: DeserializeOwned + 'static> FileReader<T> {
    pub(crate) fn open(
        files: &FileSet<T>,
        place: Place,
        at: &At,
        positions: BTreeMap<String, Value>,
    ) -> Result<Self, Error> {
        let format = files.format;
        let mut splits = HashMap::new();
        for (name, position) in positions {
            let split = Split::new(&format, &name, Some(position))?;
            splits.insert(name, split);
        }
        let (store, first, looking) = match place.root.clone() {
            Root::Local(dir) => {
                let first = look::list(&place, &dir)?;
                let is_file = dir.is_file();
                let known: BTreeSet<String> = first.iter().cloned().collect();
                let looking = match files.watched {
                    Some(every) => {
                        let waker = at.waker.clone();
                        let (place, dir) = (place, dir.clone());
                        Some(Looking::locally(place, dir, every, known, waker)?)
                    }
                    None => None,
                };
                (Store::Local { dir, is_file }, first, looking)
            }
            #[cfg(feature = "s3")]
            Root::Bucket { .. } => {
                let (remote, first) = Remote::open(&place, files.settings.as_deref())?;
                let waker = at.waker.clone();
                let looking = files
                    .watched
                    .map(|every| remote.look_on(place, every, &first, waker));
                (Store::Bucket(remote), first, looking)
            }
            #[cfg(not(feature = "s3"))]
            Root::Bucket { .. } => return Err(crate::error::no_buckets(&place.url)),
        };
        Ok(Self {
            store,
            format,
            bad: Bad::new(files.skips_bad),
            at: at.clone(),
            first,
            looking,
            splits,
            clock: 0,
        })
    }

    /// Closes a file if too many are open.
    fn make_room(&mut self) {
        let is_open =
            |(name, split): &(&String, &mut Split)| split.open.is_some() && !gzip::is_packed(name);
        let mut open: Vec<_> = self.splits.iter_mut().filter(is_open).collect();
        if open.len() < MOST_OPEN {
            return;
        }
        open.sort_by_key(|(_, split)| split.last_read);
        if let Some((_, split)) = open.first_mut() {
            split.open = None;
        }
    }
}

impl<T: DeserializeOwned + 'static> Reader for FileReader<T> {
    type Record = T;

    fn discover(&mut self) -> Result<Found, BoxError> {
        let mut names = std::mem::take(&mut self.first);
        if let Some(looking) = &self.looking {
            // The thread that looks sends its error before it ends.
            while let Ok(looked) = looking.found.try_recv() {
                names.extend(looked?);
            }
        }
        names.retain(|name| self.at.is_mine(name));
        Ok(Found {
            splits: names,
            is_complete: self.looking.is_none(),
        })
    }

    fn read(&mut self, name: &str, batch: &mut Batch<T>) -> Result<Read, BoxError> {
        self.clock += 1;
        if !self.splits.contains_key(name) {
            let split = Split::new(&self.format, name, None)?;
            self.splits.insert(name.to_owned(), split);
        }
        if self.splits[name].open.is_none() {
            self.make_room();
        }
        let split = self.splits.get_mut(name).expect("it was just inserted");
        if split.has_ended {
            return Ok(Read::Ended);
        }
        split.last_read = self.clock;
        let (store, waker) = (&self.store, &self.at.waker);
        let file = || store.describe(name);
        let read = match (&mut split.position, &self.format) {
            (Where::Text(position), Format::Text(kind)) => {
                let mut open = |from| store.open(name, from, waker);
                let text = match &mut split.open {
                    Some(Open::Text(text)) => text,
                    _ => {
                        let text = Text::open(*kind, &file(), position, &mut open)?;
                        let opened = split.open.insert(Open::Text(Box::new(text)));
                        match opened {
                            Open::Text(text) => text,
                            #[cfg(feature = "parquet")]
                            Open::Rows(_) => unreachable!("it is text"),
                        }
                    }
                };
                text.read(position, &mut self.bad, batch, &mut open)?
            }
            #[cfg(feature = "parquet")]
            (Where::Rows(position), Format::Parquet(parquet)) => {
                let rows = match &mut split.open {
                    Some(Open::Rows(rows)) => rows,
                    _ => {
                        let rows = store.open_rows(name, *position, waker)?;
                        match split.open.insert(Open::Rows(rows)) {
                            Open::Rows(rows) => rows,
                            Open::Text(_) => unreachable!("they are rows"),
                        }
                    }
                };
                rows.read(&file(), parquet, position, batch)?
            }
            _ => unreachable!("a position is of its format"),
        };
        if read == Read::Ended {
            split.has_ended = true;
            split.open = None;
        }
        Ok(read)
    }

    fn position(&self, name: &str) -> Value {
        match self.splits.get(name).map(|split| &split.position) {
            Some(Where::Text(position)) => serde_json::to_value(position),
            #[cfg(feature = "parquet")]
            Some(Where::Rows(position)) => serde_json::to_value(position),
            // It has not been read.
            None => match &self.format {
                #[cfg(feature = "parquet")]
                Format::Parquet(_) => serde_json::to_value(RowPosition::default()),
                _ => serde_json::to_value(Position::default()),
            },
        }
        .expect("numbers are JSON")
    }
}

impl Split {
    fn new<T>(format: &Format<T>, name: &str, position: Option<Value>) -> Result<Self, Error> {
        let position = position.unwrap_or_default();
        let as_text = position.to_string();
        let refused = |_| Error::Position {
            file: name.to_owned(),
            position: as_text,
        };
        let is_new = position.is_null();
        let position = match format {
            #[cfg(feature = "parquet")]
            Format::Parquet(_) if is_new => Where::Rows(RowPosition::default()),
            #[cfg(feature = "parquet")]
            Format::Parquet(_) => Where::Rows(serde_json::from_value(position).map_err(refused)?),
            _ if is_new => Where::Text(Position::default()),
            _ => Where::Text(serde_json::from_value(position).map_err(refused)?),
        };
        Ok(Self {
            position,
            open: None,
            last_read: 0,
            has_ended: false,
        })
    }
}

impl Store {
    /// The whole name of a file, for people.
    fn describe(&self, name: &str) -> String {
        match self {
            Self::Local { .. } => self.path(name).display().to_string(),
            #[cfg(feature = "s3")]
            Self::Bucket(remote) => remote.describe(name),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Local { dir, is_file: true } => dir.clone(),
            Self::Local { dir, .. } => dir.join(name),
            #[cfg(feature = "s3")]
            Self::Bucket(_) => unreachable!("an object has no path"),
        }
    }

    /// Opens a file of text at this offset, or at its beginning if it is packed.
    #[cfg_attr(
        not(feature = "s3"),
        expect(unused_variables, reason = "a file is there")
    )]
    fn open(
        &self,
        name: &str,
        from: u64,
        waker: &Waker,
    ) -> Result<(Box<dyn std::io::Read>, u64), Error> {
        let is_packed = gzip::is_packed(name);
        let from = if is_packed { 0 } else { from };
        let input: Box<dyn std::io::Read> = match self {
            Self::Local { .. } => {
                let failed = |error: std::io::Error| Error::Read {
                    file: self.describe(name),
                    cause: error.into(),
                };
                let mut file = File::open(self.path(name)).map_err(failed)?;
                if from > 0 {
                    let length = file.metadata().map_err(failed)?.len();
                    if length < from {
                        return Err(Error::Shrunk {
                            file: self.describe(name),
                            at: format!("offset {from}"),
                        });
                    }
                    file.seek(SeekFrom::Start(from)).map_err(failed)?;
                }
                Box::new(file)
            }
            #[cfg(feature = "s3")]
            Self::Bucket(remote) => Box::new(remote.fetch(name, from, waker)),
        };
        let input = if is_packed {
            gzip::unpack(input)
        } else {
            input
        };
        Ok((input, from))
    }

    #[cfg(feature = "parquet")]
    fn open_rows(&self, name: &str, position: RowPosition, waker: &Waker) -> Result<Rows, Error> {
        let file = self.describe(name);
        match self {
            Self::Local { .. } => {
                let opened = File::open(self.path(name)).map_err(|error| Error::Read {
                    file: file.clone(),
                    cause: error.into(),
                })?;
                Rows::open(&file, opened, position)
            }
            #[cfg(feature = "s3")]
            Self::Bucket(remote) => Ok(Rows::fetch(
                file,
                remote.random_access(name),
                position,
                waker,
            )),
        }
    }
}
