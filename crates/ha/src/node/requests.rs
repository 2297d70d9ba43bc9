//! The requests to the backend that the election asks for. Each ends in time, with one event.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use incumbent_backend::{Backend, BoxError, Expected, Failure, Key, Swapped, Unread, causes};
use incumbent_core::election::{Event, FloorAnswer, SwapAnswer};
use incumbent_core::record::RecordBody;
use incumbent_core::root::Root;
use incumbent_core::write::Write;
use incumbent_core::{Epoch, Seal, Version};

use super::Setup;
use crate::settle::{Patience, TimedOut, Unwritten, settle};

/// Reads under way at once when the seals of all records are read. Few, because it happens seldom
/// and backends limit the rate of requests.
const PARALLEL_READS: usize = 4;

type Request = BoxFuture<'static, Event>;

pub(super) fn read_root(setup: &Setup) -> Request {
    let (backend, key, timeout) = parts(setup, Key::root(setup.group.clone()));
    let (contact, retry) = (Arc::clone(&setup.contact), setup.config.timing.retry());
    Box::pin(async move {
        let trouble = &contact.troubles.reads;
        match read(&*backend, &key, timeout, Root::from_bytes).await {
            Ok(root) => {
                trouble.worked(&key);
                Event::RootRead {
                    root: root.map(|(version, root)| (version, Box::new(root))),
                }
            }
            Err(error) => {
                trouble.failed(&key, &causes(&*error), retry);
                Event::RootUnread
            }
        }
    })
}

pub(super) fn swap_root(setup: &Setup, expected: Option<Version>, root: &Root) -> Request {
    let (backend, key, timeout) = parts(setup, Key::root(setup.group.clone()));
    let (contact, retry) = (Arc::clone(&setup.contact), setup.config.timing.retry());
    let body = root.to_bytes();
    Box::pin(async move {
        let trouble = &contact.troubles.writes;
        let expected = expected.as_ref().map_or(Expected::Absent, Expected::At);
        let swap = tokio::time::timeout(timeout, backend.swap(&key, expected, &body));
        let answer = match swap.await {
            Ok(Ok(Swapped::Committed(version))) => SwapAnswer::Committed(version),
            Ok(Ok(Swapped::Conflict)) => SwapAnswer::Conflict,
            Ok(Err(error @ (Failure::NotApplied(_) | Failure::TooLarge { .. }))) => {
                trouble.failed(&key, &causes(&error), retry);
                SwapAnswer::NotApplied
            }
            Ok(Err(error)) => {
                trouble.unknown(&key, &causes(&error), retry);
                SwapAnswer::Unknown
            }
            Err(_) => {
                trouble.unknown(&key, &TimedOut(timeout).to_string(), retry);
                SwapAnswer::Unknown
            }
        };
        if let SwapAnswer::Committed(_) | SwapAnswer::Conflict = answer {
            trouble.worked(&key);
        }
        Event::RootSwapped(answer)
    })
}

/// The highest epoch on any record of the group. That is the floor's, because every leader seals it
/// first; without a floor, it is the highest of all records.
pub(super) fn scan_seals(setup: &Setup) -> Request {
    let (backend, root, timeout) = parts(setup, Key::root(setup.group.clone()));
    let floor = Key::floor(setup.group.clone());
    let (contact, retry) = (Arc::clone(&setup.contact), setup.config.timing.retry());
    Box::pin(async move {
        let trouble = &contact.troubles.scans;
        let scan = async {
            match seal_of(&*backend, &floor, timeout).await? {
                Epoch::ZERO => {}
                epoch => return Ok(epoch),
            }
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
            Ok(highest) => {
                trouble.worked(&root);
                Event::SealsScanned { highest }
            }
            Err(error) => {
                trouble.failed(&root, &causes(&*error), retry);
                Event::SealsUnread
            }
        }
    })
}

pub(super) fn seal_floor(setup: &Setup, seal: Seal) -> Request {
    let (backend, key, timeout) = parts(setup, Key::floor(setup.group.clone()));
    let (contact, retry) = (Arc::clone(&setup.contact), setup.config.timing.retry());
    let patience = Patience {
        request: timeout,
        whole: setup.config.timing.renew_deadline(),
    };
    Box::pin(async move {
        let trouble = &contact.troubles.floor;
        let answer = match settle(&*backend, &key, Write::floor(seal, 1), patience).await {
            Ok(_) => FloorAnswer::Sealed,
            Err(Unwritten::Fenced(epoch)) => FloorAnswer::Fenced(epoch),
            Err(error) => {
                trouble.failed(&key, &error.to_string(), retry);
                FloorAnswer::Failed
            }
        };
        if answer != FloorAnswer::Failed {
            trouble.worked(&key);
        }
        Event::Floor { seal, answer }
    })
}

/// The epoch on one record. A body that cannot be understood counts as none: the floor makes sure
/// of the epoch, and this read only saves attempts.
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
            tracing::warn!(%key, error = causes(&*error), "skipped a damaged record while looking for the highest epoch");
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
        // The cause says that it is damaged, and what to do.
        Ok(Err(Unread::Damaged(error))) => Err(error),
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
