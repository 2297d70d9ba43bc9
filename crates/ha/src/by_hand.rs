//! What people may do without leading: ask the leader to hand over, repair a record, and remove
//! what is left of a group.

use incumbent_backend::{Erased, Expected, Failure, Key, Listed, RecordName, Version};
use incumbent_core::record::RecordBody;
use incumbent_core::root::{BadBody, Handover, Root, TermState};
use incumbent_core::{Epoch, HolderName, Nonce, Seal};
use serde_json::value::RawValue;

use crate::read::{Once, in_time, read_key, swap_once};
use crate::record::check_size;
use crate::{Error, Group};

/// How often to try again when the body changes meanwhile.
const ATTEMPTS: u32 = 20;

/// What a write by hand replaces, and what it keeps of it.
struct Replaced {
    at: Option<Version>,
    seal: Seal,
    unled: bool,
    created: Option<Nonce>,
}

impl Group {
    /// Asks the present leader to hand over, to `to` if named, and returns the epoch that was
    /// asked. The leader decides by itself. If it agrees, another epoch follows.
    ///
    /// The request is written into the root, so it needs no connection to the leader, only to the
    /// backend.
    ///
    /// # Errors
    ///
    /// - [`Error::NoLeader`], [`Error::Damaged`].
    /// - [`Error::Unavailable`]: it is unknown whether the request was written; asking again does
    ///   no harm.
    pub async fn ask_to_hand_over(&self, to: Option<HolderName>, by: &str) -> Result<Epoch, Error> {
        let timeout = self.inner.timing.request_timeout();
        let (backend, key) = (&*self.inner.backend, Key::root(self.inner.name.clone()));
        let mut asked = None;
        let mut trouble = "the root changed each time, before it could be written".into();
        for _ in 0..ATTEMPTS {
            let found = read_key(backend, &key, timeout, Root::from_bytes).await?;
            let leads = found.filter(|(_, root)| root.state != TermState::Released);
            let Some((version, root)) = leads else {
                return asked.ok_or(Error::NoLeader);
            };
            let epoch = *asked.get_or_insert(root.epoch);
            if root.epoch != epoch {
                // The leader that was asked first is gone, for whatever reason. The next one is not
                // asked.
                return Ok(epoch);
            }
            let request = Handover {
                to: to.clone(),
                by: by.to_owned(),
            };
            let body = root.asking(request).to_bytes();
            match swap_once(backend, &key, Expected::At(&version), &body, timeout).await {
                Once::Committed => return Ok(epoch),
                Once::Conflict => {}
                Once::NotApplied(cause) => return Err(Error::Unavailable(cause)),
                Once::Unknown(cause) => trouble = cause,
            }
        }
        Err(Error::Unavailable(trouble))
    }

    /// Replaces or deletes (`None`) the data of a record **without leading**: for a person who
    /// repairs something.
    ///
    /// It is still a compare-and-swap, and keeps the seal. A leader that has the record open gets
    /// [`Error::Conflict`] from its next commit, and has to open it again.
    ///
    /// A body that is not a record is replaced too, under the seal of the group's floor: no leader
    /// that was deposed can write it, as before.
    ///
    /// # Errors
    ///
    /// - [`Error::TooLarge`], [`Error::Unavailable`]: nothing was written.
    /// - [`Error::Unknown`]: read the record before you repeat it.
    /// - [`Error::Damaged`]: the record is of a newer format; or it is damaged, and the store does
    ///   not say at which version, or the group has no floor. Nothing was written.
    pub async fn overwrite_by_hand(
        &self,
        name: &RecordName,
        data: Option<Box<RawValue>>,
    ) -> Result<(), Error> {
        let (backend, key) = (&*self.inner.backend, self.inner.key(name));
        let timeout = self.inner.timing.request_timeout();
        check_size(backend, name, data.as_deref())?;
        for _ in 0..ATTEMPTS {
            let found = self.to_be_replaced(&key).await?;
            // Above every number that the leader of that seal uses, so that it is not taken for a
            // write of its own.
            let seq = u64::MAX - rand::random_range(0..u64::MAX / 2);
            let mut body = RecordBody::new(found.seal, seq, data.clone());
            body.unled = found.unled;
            body.created = found.created;
            let body = body.to_bytes();
            let expected = found.at.as_ref().map_or(Expected::Absent, Expected::At);
            match swap_once(backend, &key, expected, &body, timeout).await {
                Once::Committed => return Ok(()),
                Once::Conflict => {}
                Once::NotApplied(cause) => return Err(Error::Unavailable(cause)),
                Once::Unknown(cause) => {
                    return Err(Error::Unknown {
                        record: name.clone(),
                        cause,
                    });
                }
            }
        }
        let trouble = format!("the record changed {ATTEMPTS} times before it could be written");
        Err(Error::Unavailable(trouble.into()))
    }

    async fn to_be_replaced(&self, key: &Key) -> Result<Replaced, Error> {
        let (backend, timeout) = (&*self.inner.backend, self.inner.timing.request_timeout());
        let nothing = Replaced {
            at: None,
            seal: Seal {
                epoch: Epoch::ZERO,
                nonce: Nonce::new(rand::random()),
            },
            unled: true,
            created: None,
        };
        let Some(stored) = in_time(timeout, backend.read(key), key).await? else {
            return Ok(nothing);
        };
        let at = Some(stored.version);
        match RecordBody::from_bytes(&stored.body) {
            Ok(body) => Ok(Replaced {
                at,
                seal: body.seal,
                unled: body.data.is_none() || body.unled,
                created: body.created,
            }),
            Err(newer @ BadBody::Newer { .. }) => Err(Error::bad_body(key, newer)),
            Err(foreign @ BadBody::Foreign { .. }) => {
                let floor = Key::floor(self.inner.name.clone());
                let floor = read_key(backend, &floor, timeout, RecordBody::from_bytes).await?;
                let Some((_, floor)) = floor else {
                    let why = format!(
                        "{foreign}; and the group has no floor that would keep older leaders from \
                         writing it, so stop all its nodes, and remove it from the store"
                    );
                    return Err(Error::damaged(key, why));
                };
                // Its own seal is lost. Every leader seals the floor before any record.
                let seal = floor.seal;
                Ok(Replaced {
                    at,
                    seal,
                    ..nothing
                })
            }
        }
    }

    /// All that the store keeps of this group: the root, the floor, then records and tombstones.
    /// Remove them in this order, and stop at the first that was written meanwhile: a new leader
    /// writes the root first, and then the floor.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], [`Error::Damaged`].
    pub async fn everything(&self) -> Result<Vec<Listed>, Error> {
        let (timeout, name) = (self.inner.timing.request_timeout(), self.name());
        let mut listed = in_time(timeout, self.inner.backend.list(name), name).await?;
        listed.sort_by_key(|listed| (listed.key.record_name().is_some(), !listed.key.is_root()));
        Ok(listed)
    }

    /// Removes one of [`everything`](Self::everything) **without leading**, if it is still at that
    /// version: for a person who wants nothing to be left of a group that is not used any more.
    ///
    /// The floor remembers the epochs. Without it, the next leader of the group begins at 1.
    /// [`Erased::Conflict`] says that somebody has written meanwhile, [`Erased::Kept`] that this
    /// backend erases nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]: list again what is there. [`Error::Damaged`].
    pub async fn erase_by_hand(&self, listed: &Listed) -> Result<Erased, Error> {
        let (backend, timeout) = (&*self.inner.backend, self.inner.timing.request_timeout());
        let Listed { key, version } = listed;
        let mut unknown = false;
        let mut trouble = "nothing was tried".into();
        for _ in 0..ATTEMPTS {
            match tokio::time::timeout(timeout, backend.erase(key, version)).await {
                Ok(Ok(Erased::Conflict)) if unknown => {
                    return match in_time(timeout, backend.read(key), key).await? {
                        None => Ok(Erased::Gone),
                        Some(_) => Ok(Erased::Conflict),
                    };
                }
                Ok(Ok(erased)) => return Ok(erased),
                Ok(Err(Failure::NotApplied(cause))) => return Err(Error::Unavailable(cause)),
                Ok(Err(cause)) => (unknown, trouble) = (true, cause.into()),
                Err(elapsed) => (unknown, trouble) = (true, elapsed.into()),
            }
        }
        Err(Error::Unavailable(trouble))
    }
}
