//! The requests to the backend that the election asks for, each answered in time with one event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
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

/// Reads under way at once when the seals of all records are looked at: few, for it is seldom, and
/// backends have rates to keep.
const PARALLEL_READS: usize = 4;

type Request = BoxFuture<'static, Event>;

/// What was last told of each kind of failure: the same again is for whoever debugs.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    told: Mutex<HashMap<&'static str, String>>,
}

impl Trouble {
    fn tell(&self, key: &Key, what: &'static str, error: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(what).is_some_and(|before| before == error) {
            tracing::debug!(%key, error, "{what}, again");
        } else {
            tracing::warn!(%key, error, "{what}; it is tried on");
            told.insert(what, error.to_owned());
        }
    }

    /// A failure that comes again is news again.
    fn is_over(&self, what: &'static str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.remove(what);
    }
}

pub(super) fn read_root(setup: &Setup) -> Request {
    let (backend, key, timeout) = parts(setup, Key::root(setup.group.clone()));
    let trouble = Arc::clone(&setup.trouble);
    Box::pin(async move {
        match read(&*backend, &key, timeout, Root::from_bytes).await {
            Ok(root) => {
                trouble.is_over("the root was not read");
                Event::RootRead {
                    root: root.map(|(version, root)| (version, Box::new(root))),
                }
            }
            Err(error) => {
                trouble.tell(&key, "the root was not read", &chain(&*error));
                Event::RootUnread
            }
        }
    })
}

pub(super) fn swap_root(setup: &Setup, expected: Option<Version>, root: &Root) -> Request {
    let (backend, key, timeout) = parts(setup, Key::root(setup.group.clone()));
    let body = root.to_bytes();
    let trouble = Arc::clone(&setup.trouble);
    Box::pin(async move {
        let expected = expected.as_ref().map_or(Expected::Absent, Expected::At);
        let answer = match tokio::time::timeout(timeout, backend.swap(&key, expected, &body)).await
        {
            Ok(Ok(Swapped::Committed(version))) => {
                trouble.is_over("the root was not written");
                SwapAnswer::Committed(version)
            }
            Ok(Ok(Swapped::Conflict)) => SwapAnswer::Conflict,
            Ok(Err(error)) => {
                trouble.tell(&key, "the root was not written", &chain(&error));
                match error {
                    Failure::NotApplied(_) | Failure::TooLarge { .. } => SwapAnswer::NotApplied,
                    _ => SwapAnswer::Unknown,
                }
            }
            Err(_) => {
                trouble.tell(
                    &key,
                    "the root may not be written",
                    &TimedOut(timeout).to_string(),
                );
                SwapAnswer::Unknown
            }
        };
        Event::RootSwapped(answer)
    })
}

/// The highest epoch on any record of the group: the floor's, which every leader seals first;
/// without a floor, that of all records.
pub(super) fn scan_seals(setup: &Setup) -> Request {
    let (backend, root, timeout) = parts(setup, Key::root(setup.group.clone()));
    let floor = Key::floor(setup.group.clone());
    let trouble = Arc::clone(&setup.trouble);
    Box::pin(async move {
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
            Ok(highest) => Event::SealsScanned { highest },
            Err(error) => {
                trouble.tell(&root, "the seals were not read", &chain(&*error));
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

/// The epoch on one record. What cannot be understood counts as none: the floor makes sure of the
/// epoch, this only saves attempts.
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
