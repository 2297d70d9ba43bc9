//! Reads a directory in order, and checks that nothing is missing. Changes nothing.

use crate::error::OpenError;
use crate::files::{FileName, Files};
use crate::format::batch::Position;
use crate::format::chunks;
use crate::format::header::{BLOCK, BadHeader, FORMAT, FileKind, Header};
use crate::format::scan::{self, Batch, Damage, Tail};
use crate::found::{Amount, Found, Replay};
use crate::log::Ended;

/// A directory that was read.
#[derive(Debug)]
pub(crate) struct LogContents {
    /// The segment in which the log continues, and how it ends.
    pub(crate) current: Header,
    pub(crate) tail: Tail,
    pub(crate) position: Position,
    /// The segment after it, if it was prepared.
    pub(crate) unused: Option<Header>,
    pub(crate) last: Option<Last>,
    pub(crate) snapshots: Vec<u64>,
    pub(crate) ended: Vec<Ended>,
    /// Segments whose successor is empty.
    pub(crate) waiting: Vec<Ended>,
    pub(crate) replayed: Amount,
}

/// The last complete batch. It may be in the memory of the kernel only.
#[derive(Debug)]
pub(crate) struct Last {
    pub(crate) number: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Reads the files one after the other.
pub(crate) struct Reading<'a> {
    files: &'a Files,
    replay: Replay<'a>,
    snapshots: Vec<u64>,
    journal: Option<u128>,
    /// Where the log stands. Not known before the first segment is read, unless that is the first
    /// of all.
    position: Option<Position>,
    number: Option<u64>,
    current: Option<(Header, Tail)>,
    unused: Option<Header>,
    last: Option<Last>,
    has_begun: bool,
    waiting: Vec<Ended>,
    ended: Vec<Ended>,
    replayed: Amount,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(files: &'a Files, snapshots: Vec<u64>, replay: Replay<'a>) -> Self {
        Self {
            files,
            replay,
            snapshots,
            journal: None,
            position: None,
            number: None,
            current: None,
            unused: None,
            last: None,
            has_begun: false,
            waiting: Vec::new(),
            ended: Vec::new(),
            replayed: Amount::default(),
        }
    }

    fn newest(&self) -> u64 {
        self.snapshots.last().copied().unwrap_or(0)
    }

    pub(crate) fn snapshot(&mut self) -> Result<(), OpenError> {
        let Some(&index) = self.snapshots.last() else {
            return Ok(());
        };
        let name = FileName::Snapshot(index);
        let file = self.files.read(name)?;
        let header = self.header(name, &file)?;
        let bytes =
            chunks::decode(header.salt, &file).map_err(|damage| self.damaged(name, damage))?;
        let found = Found::Snapshot {
            index,
            bytes: &bytes,
        };
        (self.replay)(found).map_err(|source| OpenError::Refused {
            file: self.files.path(name),
            offset: BLOCK as u64,
            index,
            source,
        })
    }

    pub(crate) fn segment(&mut self, number: u64) -> Result<(), OpenError> {
        let name = FileName::Segment(number);
        match self.number {
            Some(before) if before + 1 != number => {
                return Err(self.missing(&FileName::Segment(before + 1).text()));
            }
            None if number == 1 => self.position = Some(Position::START),
            _ => {}
        }
        self.number = Some(number);
        let file = self.files.read(name)?;
        let header = self.header(name, &file)?;
        if header.length != file.len() as u64 || !file.len().is_multiple_of(BLOCK) {
            let what = format!("it is {} bytes long, and was {}", file.len(), header.length);
            let offset = header.length.min(file.len() as u64);
            return Err(self.damaged(name, Damage { offset, what }));
        }
        match &self.current {
            None => self.batches(&header, &file),
            Some((
                current,
                Tail::Open { offset } | Tail::Torn { offset, .. } | Tail::Ended { offset },
            )) => {
                let offset = *offset;
                let before = FileName::Segment(current.number);
                if self.unused.is_some() || !scan::is_unused(&file) {
                    let what = format!("the log ends here, but continues in {}", name.text());
                    return Err(self.damaged(before, Damage { offset, what }));
                }
                self.unused = Some(header);
                Ok(())
            }
        }
    }

    fn batches(&mut self, header: &Header, file: &[u8]) -> Result<(), OpenError> {
        let name = FileName::Segment(header.number);
        let mut position = self.position;
        let mut last = None;
        let tail = scan::scan(header, file, &mut position, |batch| {
            last = Some((batch.offset, batch.length));
            self.batch(name, &batch)
        });
        let tail = tail.map_err(|stop| match stop {
            Stop::Damage(damage) => self.damaged(name, damage),
            Stop::Error(error) => *error,
        })?;
        self.position = position;
        if let Some((offset, length)) = last {
            let cut = |at: u64| usize::try_from(at).expect("the file was read into memory");
            self.last = Some(Last {
                number: header.number,
                offset,
                bytes: file[cut(offset)..cut(offset + length)].to_vec(),
            });
        }
        match tail {
            Tail::Open { .. } | Tail::Torn { .. } => {
                self.current = Some((*header, tail));
            }
            Tail::Ended { .. } => self.waiting.push(Ended {
                number: header.number,
                last: position.map_or(0, |position| position.index),
            }),
        }
        Ok(())
    }

    fn batch(&mut self, name: FileName, batch: &Batch<'_>) -> Result<(), Stop> {
        let newest = self.newest();
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if is_first && batch.head.after.index > newest {
            let what = format!("the entries before {}, from index {newest} on", name.text());
            return Err(self.missing(&what).into());
        }
        self.ended.append(&mut self.waiting);
        for &(index, bytes) in batch.entries.iter().filter(|entry| entry.0 > newest) {
            self.replayed.entries += 1;
            self.replayed.bytes += bytes.len() as u64;
            (self.replay)(Found::Entry { index, bytes }).map_err(|source| OpenError::Refused {
                file: self.files.path(name),
                offset: batch.offset,
                index,
                source,
            })?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<LogContents, OpenError> {
        let number = self.number.expect("there is a segment");
        let Some((current, tail)) = self.current.take() else {
            return Err(self.missing(&FileName::Segment(number + 1).text()));
        };
        let Some(position) = self.position else {
            return Err(self.missing(&FileName::Segment(current.number - 1).text()));
        };
        let newest = self.newest();
        if position.index < newest {
            let last = position.index;
            let what = format!("the entries from {last} to {newest}, which its snapshot covers");
            return Err(self.missing(&what));
        }
        Ok(LogContents {
            current,
            tail,
            position,
            unused: self.unused,
            last: self.last,
            snapshots: self.snapshots,
            ended: self.ended,
            waiting: self.waiting,
            replayed: self.replayed,
        })
    }

    fn header(&mut self, name: FileName, file: &[u8]) -> Result<Header, OpenError> {
        let (kind, number) = match name {
            FileName::Segment(number) => (FileKind::Segment, number),
            FileName::Snapshot(index) => (FileKind::Snapshot, index),
        };
        let wrong = |what: &str| Damage {
            offset: 0,
            what: what.into(),
        };
        let header = Header::decode(kind, file).map_err(|bad| match bad {
            BadHeader::Short => self.damaged(name, wrong("the file ends within its header")),
            BadHeader::Foreign => {
                self.damaged(name, wrong("the header is of another kind of file"))
            }
            BadHeader::Damaged => self.damaged(name, wrong("the checksum of the header is wrong")),
            BadHeader::Newer(found) => OpenError::Newer {
                file: self.files.path(name),
                found,
                known: FORMAT,
            },
        })?;
        if header.number != number {
            return Err(self.damaged(name, wrong("it had another name")));
        }
        if *self.journal.get_or_insert(header.journal) != header.journal {
            return Err(self.damaged(name, wrong("the file belongs to another journal")));
        }
        Ok(header)
    }

    pub(crate) fn missing(&self, what: &str) -> OpenError {
        OpenError::Missing {
            dir: self.files.dir().to_owned(),
            what: what.into(),
            advice: "restore it, or the whole directory, from a backup; without it, entries would be lost",
        }
    }

    fn damaged(&self, name: FileName, damage: Damage) -> OpenError {
        let is_snapshot = matches!(name, FileName::Snapshot(_));
        OpenError::Damaged {
            file: self.files.path(name),
            offset: damage.offset,
            what: damage.what,
            advice: if is_snapshot {
                "move this file away; the snapshot before it and the log hold the same state, and the next start checks them"
            } else {
                "restore the directory from a backup, or move it away to start empty"
            },
        }
    }
}

/// Why reading a segment stopped.
enum Stop {
    Damage(Damage),
    Error(Box<OpenError>),
}

impl From<Damage> for Stop {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl From<OpenError> for Stop {
    fn from(error: OpenError) -> Self {
        Self::Error(Box::new(error))
    }
}
