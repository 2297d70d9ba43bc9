//! Writing without leading, for people who know what they do.

use incumbent_backend::{Expected, Failure, RecordName, Swapped};
use incumbent_core::record::RecordBody;
use incumbent_core::{Epoch, Nonce, Seal};
use serde_json::value::RawValue;

use crate::read::read_record;
use crate::settle::TimedOut;
use crate::{Error, Group};

/// How often to try again when the record changes meanwhile.
const ATTEMPTS: u32 = 20;

impl Group {
    /// Replaces or deletes (`None`) the data of a record **without leading**: for a person who repairs something.
    ///
    /// It is a compare-and-swap all the same, and keeps the seal. A leader that has the record open gets
    /// [`Error::Conflict`] from its next commit, and has to open it again.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::Unavailable`], [`Error::Damaged`], [`Error::Unknown`] (look before you repeat it).
    pub async fn overwrite_by_hand(
        &self,
        name: &RecordName,
        data: Option<Box<RawValue>>,
    ) -> Result<(), Error> {
        let (backend, key) = (&*self.inner.backend, self.inner.key(name));
        let timeout = self.inner.timing.request_timeout();
        for _ in 0..ATTEMPTS {
            let found = read_record(backend, key.clone(), timeout).await?;
            let unsealed = Seal {
                epoch: Epoch::ZERO,
                nonce: Nonce::new(rand::random()),
            };
            let seal = found.as_ref().map_or(unsealed, |(_, body)| body.seal);
            // Above every number that the leader of that seal uses, so that it is not taken for a write of its own.
            let seq = u64::MAX - rand::random_range(0..u64::MAX / 2);
            let body = RecordBody::new(seal, seq, data.clone()).to_bytes();
            let expected = found
                .as_ref()
                .map_or(Expected::Absent, |(version, _)| Expected::At(version));
            let unknown = |cause| Error::Unknown {
                record: name.clone(),
                cause,
            };
            match tokio::time::timeout(timeout, backend.swap(&key, expected, &body)).await {
                Ok(Ok(Swapped::Committed(_))) => return Ok(()),
                Ok(Ok(Swapped::Conflict)) => {}
                Ok(Err(Failure::TooLarge { size, limit })) => {
                    return Err(Error::TooLarge {
                        record: name.clone(),
                        size,
                        limit,
                    });
                }
                Ok(Err(Failure::NotApplied(cause))) => return Err(Error::Unavailable(cause)),
                Ok(Err(cause)) => return Err(unknown(cause.into())),
                Err(_) => return Err(unknown(TimedOut(timeout).into())),
            }
        }
        Err(Error::Unavailable(
            format!("the record changed {ATTEMPTS} times meanwhile").into(),
        ))
    }
}
