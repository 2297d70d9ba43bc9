//! [`try_until`]: the same again, while the blobs are out.

use std::time::Duration;

use futures::future::BoxFuture;
use incumbent::Guard;
use incumbent_backend::causes;
use incumbent_cluster_blobs::Error;

/// The first pause after a failure. It doubles, as an outage lasts seconds or hours.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause, so that blobs that are back are noticed soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why something was given up.
pub(super) struct GivenUp {
    /// For people.
    pub(super) why: String,
    /// Whether the blobs are out, and nothing is wrong with what was asked.
    pub(super) is_outage: bool,
    /// What the blobs said last, if they said anything.
    pub(super) error: Option<Error>,
}

/// Does this until it works, or is refused, or `patience` is over. `None` if the term is over: then
/// nothing is begun any more, and nobody listens.
///
/// # Cancel safety
///
/// Dropping the future leaves done or undone what was under way.
pub(super) async fn try_until<'a, T>(
    patience: Duration,
    guard: &Guard,
    attempt: impl Fn() -> BoxFuture<'a, Result<T, Error>>,
) -> Option<Result<T, GivenUp>> {
    let mut last = None;
    let trying = async {
        let mut pause = FIRST_PAUSE;
        loop {
            // A process that was stopped past its lease does nothing when it goes on.
            if !guard.is_valid() {
                return None;
            }
            match attempt().await {
                Ok(done) => return Some(Ok(done)),
                Err(error) if error.is_outage() => {
                    last = Some(error);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => {
                    return Some(Err(GivenUp {
                        why: causes(&error),
                        is_outage: false,
                        error: Some(error),
                    }));
                }
            }
        }
    };
    let ended = tokio::time::timeout(patience, trying).await;
    ended.unwrap_or_else(|_| {
        let seconds = patience.as_secs();
        let why = match &last {
            Some(error) => format!("{}; it was tried for {seconds} s", causes(error)),
            None => format!("the blobs did not answer within {seconds} s"),
        };
        Some(Err(GivenUp {
            why,
            is_outage: true,
            error: last,
        }))
    })
}
