//! [`Record`]: typed data that only the present leader can change.

use std::sync::Arc;

use incumbent_backend::{Backend, Key, RecordName, Version};
use incumbent_core::Nonce;
use incumbent_core::election::LostBecause;
use incumbent_core::record::RecordBody;
use incumbent_core::write::{Answer, Step, Write};
use metrics::counter;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::Error;
use crate::group::Inner;
use crate::read::{Snapshot, Stamp, decode, read_record};
use crate::settle::{Patience, Settled, Unwritten, settle};
use crate::term::Term;

/// Room for the seal and the frame around the data. It stays free so that a later leader, whose
/// epoch may have more digits, can always seal what this one wrote.
const ENVELOPE: usize = 1024;

/// Why a record without data cannot be opened although this leader leads.
const NO_FLOOR: &str = "the floor of the group was removed or changed by hand, so nothing shows \
                        whether a newer leader has erased the record; resign, and the next \
                        leader creates the floor again";

/// A record that this leader has opened, and so sealed.
///
/// All that changes together belongs in one record: one commit writes all of `T`, whole or not at
/// all. A handle knows what it read or wrote last, and writes only if that is still so.
///
/// One handle of a record at a time: opening it again makes the older handle's commits a
/// [`Error::Conflict`].
pub struct Record<T> {
    key: Key,
    group: Arc<Inner>,
    term: Arc<Term>,
    /// `None` if it must be opened again.
    version: Option<Version>,
    stamp: Stamp,
    /// The number of its creation, if a process that did not lead created it.
    created: Option<Nonce>,
    data: Option<T>,
}

/// What [`Leadership::open_if`](crate::Leadership::open_if) found.
pub enum Found<T> {
    /// It was wanted, and is open.
    Open(Record<T>),
    /// It was not wanted, and is left as it was: what was read, or `None` if there is nothing.
    Left(Option<Snapshot<T>>),
}

/// What is done to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Open,
    Commit,
    Delete,
    Erase,
}

impl Operation {
    /// Its name in metrics.
    fn label(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Commit => "commit",
            Self::Delete => "delete",
            Self::Erase => "erase",
        }
    }

    /// Whether it changes data. Opening seals, and changes none.
    fn changes_data(self) -> bool {
        match self {
            Self::Open => false,
            Self::Commit | Self::Delete | Self::Erase => true,
        }
    }
}

impl<T: Serialize + DeserializeOwned> Record<T> {
    pub(crate) async fn open(
        group: &Arc<Inner>,
        term: &Arc<Term>,
        name: &RecordName,
    ) -> Result<Self, Error> {
        let key = group.key(name);
        let write = Write::open(term.seal, term.next_seq());
        Self::seal(group, term, name, key, write).await
    }

    pub(crate) async fn open_if(
        group: &Arc<Inner>,
        term: &Arc<Term>,
        name: &RecordName,
        is_wanted: impl FnOnce(Option<&T>) -> bool,
    ) -> Result<Found<T>, Error> {
        let key = group.key(name);
        let read = read_record(&*group.backend, &key, group.timing.request_timeout());
        let read = read.await.inspect_err(|error| {
            count(group, Operation::Open.label(), error.kind());
        })?;
        let snapshot = match &read {
            Some((_, body)) => Snapshot::of(name, body)?,
            None => None,
        };
        if !is_wanted(snapshot.as_ref().map(|snapshot| &snapshot.data)) {
            return Ok(Found::Left(snapshot));
        }
        // The first thing that an open asks for is this read.
        let (mut write, _) = Write::open(term.seal, term.next_seq());
        let step = write.step(Answer::Read(read));
        let opened = Self::seal(group, term, name, key, (write, step));
        opened.await.map(Found::Open)
    }

    /// Takes an open through to its end.
    async fn seal(
        group: &Arc<Inner>,
        term: &Arc<Term>,
        name: &RecordName,
        key: Key,
        write: (Write, Step),
    ) -> Result<Self, Error> {
        let settled = run(group, term, &key, Operation::Open, write).await?;
        let (version, body) = written(settled);
        Ok(Self {
            data: decode(name, &body)?,
            key,
            group: Arc::clone(group),
            term: Arc::clone(term),
            version: Some(version),
            stamp: Stamp::of(&body),
            created: body.created,
        })
    }

    /// Its name.
    pub fn name(&self) -> &RecordName {
        name_of(&self.key)
    }

    /// What this handle read or wrote last; `None` if the record does not exist or was deleted.
    pub fn data(&self) -> Option<&T> {
        self.data.as_ref()
    }

    /// Which write that was.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Replaces the data of this record, if nobody has written it since this handle last read or
    /// wrote it.
    ///
    /// The check and the write are one atomic step of the backend. A newer leader may be elected
    /// before the answer arrives. That is safe: it seals the record before it reads, so it sees
    /// this write or this write is refused.
    ///
    /// # Errors
    ///
    /// - [`Error::Fenced`]: a newer leader has sealed the record, or this leadership is over; stop
    ///   leading.
    /// - [`Error::Conflict`]: another handle or a person wrote it, or the last outcome was unknown;
    ///   [`reopen`](Self::reopen).
    /// - [`Error::TooLarge`]: nothing was written; the limit is a little less than the backend's.
    /// - [`Error::Unavailable`]: nothing was written; try again.
    /// - [`Error::Unknown`]: sent, not answered, and not settled in time, or not before a newer
    ///   leader sealed the record; [`reopen`](Self::reopen), which tells if this leadership is
    ///   over.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is an unknown outcome: the write may still happen, and the record must
    /// be opened again.
    pub async fn commit(&mut self, data: T) -> Result<(), Error> {
        let encoded = serde_json::value::to_raw_value(&data);
        let json = encoded.map_err(|cause| Error::WrongType {
            record: self.name().clone(),
            cause: cause.into(),
        })?;
        check_size(&*self.group.backend, self.name(), Some(&json))
            .map_err(|error| self.count(Operation::Commit, error))?;
        self.write(Operation::Commit, Some(json)).await?;
        self.data = Some(data);
        Ok(())
    }

    /// Deletes the record: a tombstone with the seal takes its place, so that it cannot come back
    /// under an older leader.
    ///
    /// The handle stays usable; a commit creates the record anew.
    ///
    /// # Errors
    ///
    /// As of [`commit`](Self::commit).
    ///
    /// # Cancel safety
    ///
    /// As of [`commit`](Self::commit).
    pub async fn delete(&mut self) -> Result<(), Error> {
        self.write(Operation::Delete, None).await?;
        self.data = None;
        Ok(())
    }

    /// Deletes the record and its name. Nothing is left where the store can do so; elsewhere a
    /// tombstone is left.
    ///
    /// For names that come and go without end, as those of jobs. It is as safe as
    /// [`delete`](Self::delete): a write that an older leader still has under way names a version
    /// that is gone, and if that leader opens the record again, it is fenced. But without the
    /// tombstone, nothing remembers that the name was used: a process that
    /// [creates](crate::Group::create) records without leading may create this one again, also by a
    /// request that was sent before the erasure and arrives late. Do not erase such names, or only
    /// when no creation of them can be under way any more.
    ///
    /// # Errors
    ///
    /// As of [`commit`](Self::commit). Open the record again before deciding anything. A record
    /// that is gone is opened without data, and can be erased again.
    ///
    /// # Cancel safety
    ///
    /// As of [`commit`](Self::commit).
    pub async fn erase(mut self) -> Result<(), Error> {
        let Some(version) = self.version.take() else {
            return Err(self.count(Operation::Erase, self.conflict()));
        };
        let (seal, seq) = (self.term.seal, self.term.next_seq());
        let write = Write::erase(seal, seq, version.clone());
        match run(&self.group, &self.term, &self.key, Operation::Erase, write).await? {
            Settled::Gone | Settled::Written(..) | Settled::Found(_) => Ok(()),
            Settled::Kept if self.data.is_none() => Ok(()),
            Settled::Kept => {
                self.version = Some(version);
                self.delete().await
            }
        }
    }

    /// Seals and reads the record again, after a conflict or an unknown outcome. A write of this
    /// handle that is still on its way cannot land afterwards.
    ///
    /// # Errors
    ///
    /// As of [`Leadership::open`](crate::Leadership::open).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes no data.
    pub async fn reopen(&mut self) -> Result<(), Error> {
        *self = Self::open(&self.group, &self.term, self.name()).await?;
        Ok(())
    }

    /// A fenced read: makes sure that no newer leader has touched the record, and that what this
    /// handle has is what is stored.
    ///
    /// Costs one read; opens the record again only if somebody wrote it, or an outcome was unknown.
    ///
    /// # Errors
    ///
    /// As of [`Leadership::open`](crate::Leadership::open).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes no data.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        if self.term.until_invalid().is_zero() {
            return Err(self.count(Operation::Open, self.term.fenced()));
        }
        let found = read_record(
            &*self.group.backend,
            &self.key,
            self.group.timing.request_timeout(),
        )
        .await?;
        let same = found.is_some_and(|(version, body)| {
            self.version == Some(version) && Stamp::of(&body) == self.stamp
        });
        if same { Ok(()) } else { self.reopen().await }
    }

    async fn write(
        &mut self,
        operation: Operation,
        data: Option<Box<RawValue>>,
    ) -> Result<(), Error> {
        // Taken out, so that the record must be opened again if this future is dropped.
        let Some(version) = self.version.take() else {
            return Err(self.count(operation, self.conflict()));
        };
        let (seal, seq) = (self.term.seal, self.term.next_seq());
        let write = Write::commit(seal, seq, version.clone(), self.created, data);
        match run(&self.group, &self.term, &self.key, operation, write).await {
            Ok(settled) => {
                let (version, body) = written(settled);
                self.version = Some(version);
                self.stamp = Stamp::of(&body);
                Ok(())
            }
            Err(error) => {
                if matches!(error, Error::Unavailable(_) | Error::TooLarge { .. }) {
                    self.version = Some(version);
                }
                Err(error)
            }
        }
    }

    fn conflict(&self) -> Error {
        Error::Conflict {
            record: self.name().clone(),
        }
    }

    fn count(&self, operation: Operation, error: Error) -> Error {
        count(&self.group, operation.label(), error.kind());
        error
    }
}

/// Refuses data that would leave no room for the seal.
pub(crate) fn check_size(
    backend: &dyn Backend,
    record: &RecordName,
    data: Option<&RawValue>,
) -> Result<(), Error> {
    let limit = backend.limits().largest_body.saturating_sub(ENVELOPE);
    match data.map_or(0, |data| data.get().len()) {
        size if size > limit => Err(Error::TooLarge {
            record: record.clone(),
            size,
            limit,
        }),
        _ => Ok(()),
    }
}

fn written(settled: Settled) -> (Version, Arc<RecordBody>) {
    match settled {
        Settled::Written(version, body) => (version, body),
        Settled::Gone | Settled::Kept => unreachable!("only an erasure ends so"),
        Settled::Found(_) => unreachable!("only a creation ends so"),
    }
}

async fn run(
    group: &Inner,
    term: &Term,
    key: &Key,
    operation: Operation,
    write: (Write, Step),
) -> Result<Settled, Error> {
    let patience = Patience {
        request: group.timing.request_timeout(),
        whole: group.whole_write(),
    };
    let done = if term.until_invalid().is_zero() {
        // Sealing makes a late write harmless. Not sending it makes it cheap, and the leader learns
        // of its end sooner.
        Err(term.fenced())
    } else {
        let settled = settle(&*group.backend, key, write, patience).await;
        settled.map_err(|unwritten| translate(term, name_of(key), operation, unwritten))
    };
    count(
        group,
        operation.label(),
        done.as_ref().map_or_else(Error::kind, |_| "committed"),
    );
    done
}

/// The name that the key of a record is made of.
fn name_of(key: &Key) -> &RecordName {
    key.record_name().expect("it is a record's key")
}

fn translate(term: &Term, name: &RecordName, operation: Operation, unwritten: Unwritten) -> Error {
    let record = name.clone();
    match unwritten {
        Unwritten::Fenced(current) => {
            term.end(LostBecause::Superseded(current));
            Error::Fenced {
                ours: term.seal.epoch,
                current: Some(current),
            }
        }
        Unwritten::Conflict => Error::Conflict { record },
        Unwritten::TooLarge { size, limit } => Error::TooLarge {
            record,
            size,
            limit,
        },
        Unwritten::Unsettled(fenced_by) => {
            if let Some(current) = fenced_by {
                term.end(LostBecause::Superseded(current));
            }
            let cause = match fenced_by {
                Some(current) => format!(
                    "its answer was lost, and the leader of epoch {current} has sealed the record since; stop leading"
                ),
                None => {
                    "its answer was lost, and somebody else has written the record since".into()
                }
            };
            Error::Unknown {
                record,
                cause: cause.into(),
            }
        }
        // Nothing can have been written, so whether the request took effect does not matter.
        Unwritten::Unknown(cause) if !operation.changes_data() => Error::Unavailable(cause),
        Unwritten::Unknown(cause) => Error::Unknown { record, cause },
        Unwritten::NotApplied(cause) => Error::Unavailable(cause),
        Unwritten::Damaged(cause) => Error::damaged(name, cause),
        Unwritten::NoFloor => Error::damaged(name, NO_FLOOR),
    }
}

pub(crate) fn count(group: &Inner, operation: &'static str, outcome: &'static str) {
    counter!("incumbent_record_writes_total", "group" => group.label.clone(), "operation" => operation, "outcome" => outcome)
        .increment(1);
}

impl Term {
    /// The error of an operation for a term that is over.
    pub(crate) fn fenced(&self) -> Error {
        let current = match self.why_lost() {
            Some(LostBecause::Superseded(epoch)) => Some(epoch),
            _ => None,
        };
        Error::Fenced {
            ours: self.seal.epoch,
            current,
        }
    }
}
