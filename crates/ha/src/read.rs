//! Reading without leading.

use std::time::Duration;

use incumbent_backend::{
    Backend, BoxError, Expected, Failure, Key, RecordName, Swapped, Unread, Version,
};
use incumbent_core::record::RecordBody;
use incumbent_core::root::BadBody;
use incumbent_core::{Epoch, Seal};
use serde::de::DeserializeOwned;

use crate::Error;
use crate::settle::TimedOut;

/// What was committed last in a record, and by which term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot<T> {
    /// The data.
    pub data: T,
    /// Which write it is.
    pub stamp: Stamp,
}

/// Tells one write of a record from any other: the term that wrote or sealed it last, and a number
/// within that term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    pub(crate) seal: Seal,
    pub(crate) seq: u64,
}

impl Stamp {
    pub(crate) fn of(body: &RecordBody) -> Self {
        Self {
            seal: body.seal,
            seq: body.seq,
        }
    }

    /// The epoch of that term; zero if no leader has sealed the record: it was created without
    /// leading, or by hand.
    pub fn epoch(&self) -> Epoch {
        self.seal.epoch
    }

    /// Epoch and nonce of that term.
    pub fn seal(&self) -> Seal {
        self.seal
    }
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.seal.epoch, self.seal.nonce, self.seq)
    }
}

impl<T: DeserializeOwned> Snapshot<T> {
    /// The snapshot of a body; `None` if it is a tombstone.
    pub(crate) fn of(name: &RecordName, body: &RecordBody) -> Result<Option<Self>, Error> {
        let stamp = Stamp::of(body);
        Ok(decode(name, body)?.map(|data| Self { data, stamp }))
    }
}

/// The data of a body; `None` if it is a tombstone.
pub(crate) fn decode<T: DeserializeOwned>(
    name: &RecordName,
    body: &RecordBody,
) -> Result<Option<T>, Error> {
    let Some(json) = body.json() else {
        return Ok(None);
    };
    let wrong = |cause: serde_json::Error| Error::WrongType {
        record: name.clone(),
        cause: cause.into(),
    };
    serde_json::from_str(json).map(Some).map_err(wrong)
}

pub(crate) async fn read_record(
    backend: &dyn Backend,
    key: &Key,
    timeout: Duration,
) -> Result<Option<(Version, RecordBody)>, Error> {
    read_key(backend, key, timeout, RecordBody::from_bytes).await
}

pub(crate) async fn read_key<T>(
    backend: &dyn Backend,
    key: &Key,
    timeout: Duration,
    parse: impl Fn(&[u8]) -> Result<T, BadBody>,
) -> Result<Option<(Version, T)>, Error> {
    match in_time(timeout, backend.read(key), key).await? {
        Some(stored) => match parse(&stored.body) {
            Ok(body) => Ok(Some((stored.version, body))),
            Err(cause) => Err(Error::bad_body(key, cause)),
        },
        None => Ok(None),
    }
}

/// Waits for a read or a list, and translates its failure.
pub(crate) async fn in_time<T>(
    timeout: Duration,
    read: impl Future<Output = Result<T, Unread>>,
    what: impl ToString,
) -> Result<T, Error> {
    match tokio::time::timeout(timeout, read).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(Unread::Damaged(cause))) => Err(Error::damaged(what, cause)),
        Ok(Err(cause)) => Err(Error::Unavailable(cause.into())),
        Err(_) => Err(Error::Unavailable(TimedOut(timeout).into())),
    }
}

/// The outcome of one swap, for a caller that settles it by reading again.
pub(crate) enum Once {
    Committed,
    Conflict,
    NotApplied(BoxError),
    Unknown(BoxError),
}

/// One swap, not repeated.
pub(crate) async fn swap_once(
    backend: &dyn Backend,
    key: &Key,
    expected: Expected<'_>,
    body: &[u8],
    timeout: Duration,
) -> Once {
    match tokio::time::timeout(timeout, backend.swap(key, expected, body)).await {
        Ok(Ok(Swapped::Committed(_))) => Once::Committed,
        Ok(Ok(Swapped::Conflict)) => Once::Conflict,
        Ok(Err(Failure::NotApplied(cause))) => Once::NotApplied(cause),
        Ok(Err(cause @ Failure::TooLarge { .. })) => Once::NotApplied(cause.into()),
        Ok(Err(cause)) => Once::Unknown(cause.into()),
        Err(_) => Once::Unknown(TimedOut(timeout).into()),
    }
}
