//! Performs one [`Write`] on a backend: sends what the machine asks for, and repeats until the
//! outcome is known.

use std::sync::Arc;
use std::time::Duration;

use incumbent_backend::{
    Backend, BoxError, Erased, Expected, Failure, Key, Pace, Swapped, Unread, causes, jitter,
};
use incumbent_core::record::RecordBody;
use incumbent_core::write::{Answer, Refused, Step, Write};
use incumbent_core::{Epoch, Version};

/// How often an open meets a foreign write and starts again before it gives up.
const MOST_STEPS: u32 = 1000;

/// How long to try.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For one request; after that its outcome counts as unknown.
    pub(crate) request: Duration,
    /// For the whole write.
    pub(crate) whole: Duration,
}

/// How a write ended well.
#[derive(Debug)]
pub(crate) enum Settled {
    /// The record has this body at this version.
    Written(Version, Arc<RecordBody>),
    /// A creation found this, which somebody else has made.
    Found(Arc<RecordBody>),
    /// There is no such record any more.
    Gone,
    /// The backend does not erase, and nothing was done.
    Kept,
}

/// Why a write did not end well.
#[derive(Debug)]
pub(crate) enum Unwritten {
    Fenced(Epoch),
    Conflict,
    TooLarge {
        size: usize,
        limit: usize,
    },
    NotApplied(BoxError),
    Unknown(BoxError),
    /// Unknown, and somebody else has written since: a newer leader at this epoch, if known.
    Unsettled(Option<Epoch>),
    Damaged(BoxError),
    /// The group's floor is not what this leader left there.
    NoFloor,
}

impl std::fmt::Display for Unwritten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fenced(epoch) => write!(f, "fenced by epoch {epoch}"),
            Self::Conflict => f.write_str("somebody else wrote the record"),
            Self::TooLarge { size, limit } => write!(f, "{size} bytes are more than {limit}"),
            Self::NotApplied(cause) => write!(f, "nothing was written: {}", causes(&**cause)),
            Self::Unknown(cause) => write!(f, "the outcome is unknown: {}", causes(&**cause)),
            Self::Unsettled(_) => {
                f.write_str("the outcome is unknown, and somebody else has written since")
            }
            Self::Damaged(cause) => write!(f, "the record is damaged: {}", causes(&**cause)),
            Self::NoFloor => f.write_str("the group's floor was changed by hand"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub(crate) struct TimedOut(pub(crate) Duration);

/// Takes the write through to its end. Cancel safety: dropping it is an unknown outcome.
pub(crate) async fn settle(
    backend: &dyn Backend,
    key: &Key,
    (mut write, mut step): (Write, Step),
    patience: Patience,
) -> Result<Settled, Unwritten> {
    let end = tokio::time::Instant::now() + patience.whole;
    let mut pace = Pace::new(patience.request / 200, patience.request / 2);
    let mut steps = 0;
    loop {
        steps += 1;
        let (answer, cause) = match step {
            Step::Done { version, body } => return Ok(Settled::Written(version, body)),
            Step::Found { body, .. } => return Ok(Settled::Found(body)),
            // By this request, or by another one of this leader or a newer one: it is gone.
            Step::Gone { .. } => return Ok(Settled::Gone),
            Step::Refused(Refused::NoFloor) => return Err(Unwritten::NoFloor),
            Step::Refused(Refused::Fenced { current }) => return Err(Unwritten::Fenced(current)),
            Step::Refused(Refused::Conflict) => return Err(Unwritten::Conflict),
            Step::Refused(Refused::Unsettled { fenced_by }) => {
                return Err(Unwritten::Unsettled(fenced_by));
            }
            Step::Refused(Refused::NotApplied) => unreachable!("returned where the cause is known"),
            Step::ReadFloor => floor(backend, key, patience.request).await?,
            Step::Erase { expected } => {
                match erase(backend, key, &expected, patience.request).await? {
                    Some(answer) => answer,
                    None => return Ok(Settled::Kept),
                }
            }
            Step::Read => match read(backend, key, patience.request).await {
                // The stored body cannot be understood, so the outcome of the write stays unknown.
                Err(Unwritten::Damaged(cause)) if write.is_unsettled() => {
                    return Err(Unwritten::Unknown(cause));
                }
                read => read?,
            },
            Step::Swap { expected, body } => {
                swap(backend, key, expected, &body, patience.request).await?
            }
        };
        step = write.step(answer);
        let Some(cause) = cause else {
            let ended = matches!(
                step,
                Step::Done { .. } | Step::Found { .. } | Step::Gone { .. } | Step::Refused(_)
            );
            if ended || (steps < MOST_STEPS && tokio::time::Instant::now() < end) {
                continue;
            }
            let trouble = format!("other writers were first, {steps} times in a row");
            return Err(unfinished(&write, trouble.into()));
        };
        if step == Step::Refused(Refused::NotApplied) {
            return Err(Unwritten::NotApplied(cause));
        }
        let pause = pace.after_failure(jitter());
        if tokio::time::Instant::now() + pause >= end {
            return Err(unfinished(&write, cause));
        }
        tokio::time::sleep(pause).await;
    }
}

/// The outcome of a write that is given up.
fn unfinished(write: &Write, cause: BoxError) -> Unwritten {
    if write.is_unsettled() {
        Unwritten::Unknown(cause)
    } else {
        Unwritten::NotApplied(cause)
    }
}

async fn read(
    backend: &dyn Backend,
    key: &Key,
    timeout: Duration,
) -> Result<(Answer, Option<BoxError>), Unwritten> {
    match tokio::time::timeout(timeout, backend.read(key)).await {
        Err(_) => Ok((Answer::Unread, Some(TimedOut(timeout).into()))),
        Ok(Err(Unread::Damaged(cause))) => Err(Unwritten::Damaged(cause)),
        Ok(Err(cause)) => Ok((Answer::Unread, Some(cause.into()))),
        Ok(Ok(None)) => Ok((Answer::Read(None), None)),
        Ok(Ok(Some(stored))) => match RecordBody::from_bytes(&stored.body) {
            Ok(body) => Ok((Answer::Read(Some((stored.version, body))), None)),
            Err(cause) => Err(Unwritten::Damaged(cause.into())),
        },
    }
}

/// The seal of the group's floor.
async fn floor(
    backend: &dyn Backend,
    key: &Key,
    timeout: Duration,
) -> Result<(Answer, Option<BoxError>), Unwritten> {
    let floor = Key::floor(key.group().clone());
    let (answer, cause) = read(backend, &floor, timeout).await?;
    let answer = match answer {
        Answer::Read(found) => Answer::Floor(found.map(|(_, body): (_, RecordBody)| body.seal)),
        answer => answer,
    };
    Ok((answer, cause))
}

/// `None` if the backend does not erase.
async fn erase(
    backend: &dyn Backend,
    key: &Key,
    expected: &Version,
    timeout: Duration,
) -> Result<Option<(Answer, Option<BoxError>)>, Unwritten> {
    Ok(Some(
        match tokio::time::timeout(timeout, backend.erase(key, expected)).await {
            Err(_) => (Answer::Unknown, Some(TimedOut(timeout).into())),
            Ok(Ok(Erased::Gone)) => (Answer::Erased, None),
            Ok(Ok(Erased::Conflict)) => (Answer::Conflict, None),
            Ok(Ok(Erased::Kept)) => return Ok(None),
            Ok(Err(Failure::NotApplied(cause))) => (Answer::NotApplied, Some(cause)),
            Ok(Err(cause)) => (Answer::Unknown, Some(cause.into())),
        },
    ))
}

async fn swap(
    backend: &dyn Backend,
    key: &Key,
    expected: Option<Version>,
    body: &RecordBody,
    timeout: Duration,
) -> Result<(Answer, Option<BoxError>), Unwritten> {
    let expected = expected.as_ref().map_or(Expected::Absent, Expected::At);
    let body = body.to_bytes();
    match tokio::time::timeout(timeout, backend.swap(key, expected, &body)).await {
        Err(_) => Ok((Answer::Unknown, Some(TimedOut(timeout).into()))),
        Ok(Ok(Swapped::Committed(version))) => Ok((Answer::Committed(version), None)),
        Ok(Ok(Swapped::Conflict)) => Ok((Answer::Conflict, None)),
        Ok(Err(Failure::TooLarge { size, limit })) => Err(Unwritten::TooLarge { size, limit }),
        Ok(Err(Failure::NotApplied(cause))) => Ok((Answer::NotApplied, Some(cause))),
        Ok(Err(cause)) => Ok((Answer::Unknown, Some(cause.into()))),
    }
}
