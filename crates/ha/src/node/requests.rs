//! The requests to the backend that the election asks for, each answered in time with one event.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use incumbent_backend::{Backend, BoxError, Expected, Failure, Key, Swapped, Unread};
use incumbent_core::election::{Event, FloorAnswer, SwapAnswer};
use incumbent_core::record::RecordBody;
use incumbent_core::root::Root;
use incumbent_core::write::Write;
use incumbent_core::{Epoch, Seal, Version};

use super::Setup;
use crate::settle::{Patience, TimedOut, Unwritten, settle};

/// Reads under way at once when the seals of all records are looked at.
const PARALLEL_READS: usize = 16;

type Request = BoxFuture<'static, Event>;

pub(super) fn read_root(setup: &Setup) -> Request {
    let (backend, key, timeout) = parts(setup, Key::root(setup.group.clone()));
    Box::pin(async move {
        match read(&*backend, &key, timeout, Root::from_bytes).await {
            Ok(root) => Event::RootRead {
                root: root.map(|(version, root)| (version, Box::new(root))),
            },
            Err(error) => {
                tracing::warn!(%key, error = chain(&*error), "the root was not read");
                Event::RootUnread
            }
        }
    })
}

pub(super) fn swap_root(setup: &Setup, expected: Option<Version>, root: &Root) -> Request {
    let (backend, key, timeout) = parts(setup, Key::root(setup.group.clone()));
    let body = root.to_bytes();
    Box::pin(async move {
        let expected = expected.as_ref().map_or(Expected::Absent, Expected::At);
        let answer = match tokio::time::timeout(timeout, backend.swap(&key, expected, &body)).await
        {
            Ok(Ok(Swapped::Committed(version))) => SwapAnswer::Committed(version),
            Ok(Ok(Swapped::Conflict)) => SwapAnswer::Conflict,
            Ok(Err(error)) => {
                tracing::warn!(%key, error = chain(&error), "the root was not written");
                match error {
                    Failure::NotApplied(_) | Failure::TooLarge { .. } => SwapAnswer::NotApplied,
                    _ => SwapAnswer::Unknown,
                }
            }
            Err(_) => {
                tracing::warn!(%key, error = %TimedOut(timeout), "the root may not be written");
                SwapAnswer::Unknown
            }
        };
        Event::RootSwapped(answer)
    })
}

/// The highest epoch on any record of the group.
pub(super) fn scan_seals(setup: &Setup) -> Request {
    let (backend, root, timeout) = parts(setup, Key::root(setup.group.clone()));
    Box::pin(async move {
        let scan = async {
            let listed = match tokio::time::timeout(timeout, backend.list(root.group())).await {
                Ok(listed) => listed?,
                Err(_) => return Err(BoxError::from(TimedOut(timeout))),
            };
            let records = listed
                .into_iter()
                .map(|listed| listed.key)
                .filter(|key| !key.is_root());
            let seals = records.map(|key| {
                let backend = &*backend;
                async move { seal_of(backend, &key, timeout).await }
            });
            futures::stream::iter(seals)
                .buffer_unordered(PARALLEL_READS)
                .try_fold(Epoch::ZERO, async |highest, epoch| Ok(highest.max(epoch)))
                .await
        };
        match scan.await {
            Ok(highest) => Event::SealsScanned { highest },
            Err(error) => {
                tracing::warn!(group = %root.group(), error = chain(&*error), "the seals were not read");
                Event::SealsUnread
            }
        }
    })
}

pub(super) fn seal_floor(setup: &Setup, seal: Seal) -> Request {
    let (backend, key, timeout) = parts(setup, Key::floor(setup.group.clone()));
    let patience = Patience {
        request: timeout,
        whole: setup.config.timing.renew_deadline(),
    };
    Box::pin(async move {
        let answer = match settle(&*backend, &key, Write::floor(seal, 1), patience).await {
            Ok(_) => FloorAnswer::Sealed,
            Err(Unwritten::Fenced(epoch)) => FloorAnswer::Fenced(epoch),
            Err(error) => {
                tracing::warn!(%key, ?error, "the floor was not sealed");
                FloorAnswer::Failed
            }
        };
        Event::Floor { seal, answer }
    })
}

/// The epoch on one record. What cannot be understood counts as none: the floor makes sure of the epoch, this only saves attempts.
async fn seal_of(backend: &dyn Backend, key: &Key, timeout: Duration) -> Result<Epoch, BoxError> {
    match tokio::time::timeout(timeout, backend.read(key)).await {
        Err(_) => Err(TimedOut(timeout).into()),
        Ok(Ok(stored)) => {
            let body = stored.map(|stored| RecordBody::from_bytes(&stored.body));
            Ok(body
                .and_then(Result::ok)
                .map_or(Epoch::ZERO, |body| body.seal.epoch))
        }
        Ok(Err(Unread::Damaged(error))) => {
            tracing::warn!(%key, error = chain(&*error), "a damaged record is passed over");
            Ok(Epoch::ZERO)
        }
        Ok(Err(error)) => Err(error.into()),
    }
}

/// Reads one body in time, and parses it.
async fn read<T, E: Into<BoxError>>(
    backend: &dyn Backend,
    key: &Key,
    timeout: Duration,
    parse: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<Option<(Version, T)>, BoxError> {
    match tokio::time::timeout(timeout, backend.read(key)).await {
        Err(_) => Err(TimedOut(timeout).into()),
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(None)) => Ok(None),
        Ok(Ok(Some(stored))) => match parse(&stored.body) {
            Ok(body) => Ok(Some((stored.version, body))),
            Err(error) => Err(error.into()),
        },
    }
}

fn parts(setup: &Setup, key: Key) -> (Arc<dyn Backend>, Key, Duration) {
    (
        Arc::clone(&setup.backend),
        key,
        setup.config.timing.request_timeout(),
    )
}

/// An error and its causes on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
