//! [`Group::create`]: makes a record without leading.

use incumbent_backend::RecordName;
use incumbent_core::Nonce;
use incumbent_core::record::RecordBody;
use incumbent_core::write::Write;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::group::Inner;
use crate::read::{Snapshot, Stamp};
use crate::record::{check_size, count};
use crate::settle::{Patience, Settled, Unwritten, settle};
use crate::{Error, Group};

/// What became of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation<T> {
    /// This creation has made the record. With what bears it now: a leader may have opened, changed
    /// or deleted it since.
    Created(Stamp),
    /// Somebody else has, before, and these data are there. Nothing was written: compare.
    Exists(Snapshot<T>),
    /// There is a tombstone: the record was deleted, or a leader has opened the name before anybody
    /// created it. Nothing was written: use another name.
    Deleted(Stamp),
}

impl Group {
    /// Creates a record **without leading**, if there is none of this name: not even a tombstone.
    /// Nothing is ever replaced.
    ///
    /// Any process of the group may, also while nobody leads. Of several that create the same name,
    /// one succeeds. From then on the record is as any other: the leader finds it by
    /// [`changes`](Self::changes), opens it, and only leaders change it. A leader that was deposed
    /// before the record was created cannot open it.
    ///
    /// A lost answer is settled: the same request is sent again, and the record read. Each call
    /// draws a number that the record keeps, whatever leaders do to it, so a call recognizes what
    /// it has created itself. Costs one write; one read more if the name is taken.
    ///
    /// Do not [erase](crate::Record::erase) records that are created so, or only long after:
    /// an erased name is free, also for a creation that was sent before and arrives late.
    ///
    /// # Errors
    ///
    /// - [`Error::TooLarge`], [`Error::Unavailable`]: nothing was written.
    /// - [`Error::Unknown`]: sent, not answered, and not settled within the renew deadline. Create
    ///   it again, by [`create_as`](Self::create_as) under the same number if you must know whose
    ///   it is.
    /// - [`Error::Damaged`], [`Error::WrongType`]: something is there that is not a `T`. Nothing
    ///   was written.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is an unknown outcome: the record may still be created, even later.
    pub async fn create<T: Serialize + DeserializeOwned>(
        &self,
        name: &RecordName,
        data: &T,
    ) -> Result<Creation<T>, Error> {
        self.create_as(name, Nonce::new(rand::random()), data).await
    }

    /// [`create`](Self::create) under a number that the caller has drawn at random: the same number
    /// is the same creation, sent again. So a caller that repeats it, after an unknown outcome or
    /// in another process, is told that it has created the record.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    ///
    /// # Cancel safety
    ///
    /// As [`create`](Self::create).
    pub async fn create_as<T: Serialize + DeserializeOwned>(
        &self,
        name: &RecordName,
        number: Nonce,
        data: &T,
    ) -> Result<Creation<T>, Error> {
        let created = create(&self.inner, name, number, data).await;
        let outcome = match &created {
            Ok(Creation::Created(_)) => "committed",
            Ok(Creation::Exists(_)) => "exists",
            Ok(Creation::Deleted(_)) => "deleted",
            Err(error) => error.kind(),
        };
        count(&self.inner, "create", outcome);
        created
    }
}

async fn create<T: Serialize + DeserializeOwned>(
    group: &Inner,
    name: &RecordName,
    number: Nonce,
    data: &T,
) -> Result<Creation<T>, Error> {
    let json = serde_json::value::to_raw_value(data).map_err(|cause| Error::WrongType {
        record: name.clone(),
        cause: cause.into(),
    })?;
    check_size(&*group.backend, name, Some(&json))?;
    let patience = Patience {
        request: group.timing.request_timeout(),
        whole: group.whole_write(),
    };
    let write = Write::create(number, json);
    match settle(&*group.backend, &group.key(name), write, patience).await {
        Ok(Settled::Written(_, body)) => Ok(Creation::Created(Stamp::of(&body))),
        Ok(Settled::Found(body)) => found(name, &body),
        Ok(Settled::Gone | Settled::Kept) => unreachable!("only an erasure ends so"),
        Err(unwritten) => Err(translate(name, unwritten)),
    }
}

fn found<T: DeserializeOwned>(name: &RecordName, body: &RecordBody) -> Result<Creation<T>, Error> {
    Ok(match Snapshot::of(name, body)? {
        Some(snapshot) => Creation::Exists(snapshot),
        None => Creation::Deleted(Stamp::of(body)),
    })
}

fn translate(name: &RecordName, unwritten: Unwritten) -> Error {
    let record = name.clone();
    match unwritten {
        Unwritten::TooLarge { size, limit } => Error::TooLarge {
            record,
            size,
            limit,
        },
        Unwritten::NotApplied(cause) => Error::Unavailable(cause),
        Unwritten::Unknown(cause) => Error::Unknown { record, cause },
        Unwritten::Unsettled(_) => Error::Unknown {
            record,
            cause: "its answer was lost, and the record was erased since".into(),
        },
        Unwritten::Damaged(cause) => Error::damaged(name, cause),
        Unwritten::Fenced(_) | Unwritten::Conflict | Unwritten::NoFloor => {
            unreachable!("only a leader's write ends so")
        }
    }
}
