//! [`ToHttp`]: sends batches, waits out outages.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::time::Duration;

use futures::StreamExt;
use incumbent_core::Pace;
use incumbent_stream::BoxError;
use incumbent_stream::outbox::{Batch, Carrier, Patience};
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use tokio::runtime::Runtime;

use crate::error::Error;
use crate::http::{Target, secret};
use crate::request::{Outcome, Request, outcome, requests};

/// The pauses between attempts: a restart of a server goes unnoticed, and many ranks that wait for
/// it do not keep it busy.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What an error or a log line shows of an answer.
const SHOWN: usize = 500;

/// What [`incumbent_tls::explain`] says of a server that shows a certificate which is refused.
/// Waiting does not mend that. What else breaks TLS may pass.
const UNTRUSTED: [&str; 7] = [
    "expired",
    "not_yet_valid",
    "name",
    "authority",
    "purpose",
    "revoked",
    "version_1",
];

pub(crate) struct ToHttp {
    target: Target,
    together: Option<NonZeroUsize>,
    runtime: Runtime,
}

/// What came of sending some requests.
#[derive(Default)]
struct Round {
    /// How many were taken.
    done: usize,
    /// Those that are to be sent again, in order.
    left: Vec<Request>,
    /// Why, and how long the server wants to be left alone.
    out: Option<(String, Duration)>,
    /// What to do about the server's certificate, which is refused.
    untrusted: Option<String>,
    refused: Vec<(String, String, String)>,
}

impl ToHttp {
    pub(crate) fn new(target: Target, together: Option<NonZeroUsize>) -> Result<Self, BoxError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            target,
            together,
            runtime,
        })
    }

    fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &self.target.headers {
            headers.insert(name, value.clone());
        }
        for (name, file) in &self.target.header_files {
            headers.insert(name, secret(file).map_err(Error::Described)?);
        }
        Ok(headers)
    }

    /// Sends them, and stops beginning new ones when one finds that the server is out.
    fn round(&self, requests: Vec<Request>, headers: &HeaderMap) -> Round {
        let is_out = Cell::new(false);
        let sent = requests.into_iter().map(|request| async {
            if is_out.get() {
                return (request, None);
            }
            let outcome = self.send(&request, headers).await;
            if matches!(outcome, Outcome::Out { .. } | Outcome::Untrusted { .. }) {
                is_out.set(true);
            }
            (request, Some(outcome))
        });
        // In the order of the requests, whichever is done first.
        let sent = futures::stream::iter(sent).buffered(self.target.in_flight);
        let sent = self.runtime.block_on(sent.collect::<Vec<_>>());
        let mut round = Round::default();
        for (request, outcome) in sent {
            match outcome {
                None => round.left.push(request),
                Some(Outcome::Done) => round.done += 1,
                Some(Outcome::Out { why, pause }) => {
                    let longest = round
                        .out
                        .take()
                        .map_or(pause, |(_, other)| other.max(pause));
                    round.out = Some((why, longest));
                    round.left.push(request);
                }
                Some(Outcome::Untrusted { advice }) => {
                    round.untrusted = Some(advice);
                    round.left.push(request);
                }
                Some(Outcome::Refused { status, answer }) => {
                    round.refused.push((request.key, status, answer));
                }
            }
        }
        round
    }

    async fn send(&self, request: &Request, headers: &HeaderMap) -> Outcome {
        let Ok(key) = HeaderValue::from_str(&request.key) else {
            return Outcome::Refused {
                status: "not sent".to_owned(),
                answer: "the key is not the value of a header".to_owned(),
            };
        };
        let sent = self
            .target
            .client
            .post(self.target.url.clone())
            .headers(headers.clone())
            .header("Idempotency-Key", key)
            .body(request.body.clone())
            .send()
            .await;
        let answered = match sent {
            Ok(response) => {
                let status = response.status();
                let after = response.headers().get(RETRY_AFTER).cloned();
                let body = beginning(response).await;
                body.map(|answer| {
                    let after = after.as_ref().and_then(|value| value.to_str().ok());
                    outcome(status, after, &answer, &self.target.done)
                })
            }
            Err(error) => Err(error),
        };
        answered.unwrap_or_else(failed)
    }
}

impl Carrier for ToHttp {
    fn deliver(&mut self, batch: &Batch, patience: &Patience) -> Result<(), BoxError> {
        let headers = self.headers()?;
        let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut left = requests(batch, self.together);
        loop {
            let Round {
                done,
                left: again,
                out,
                untrusted,
                refused,
            } = self.round(left, &headers);
            for (key, status, answer) in refused {
                if !self.target.skips_refused {
                    let url = self.url();
                    return Err(Error::Refused {
                        url,
                        key,
                        status,
                        answer,
                    }
                    .into());
                }
                tracing::warn!(
                    key,
                    status,
                    answer,
                    "the server refuses a request; it is skipped, and the others are sent"
                );
            }
            if let Some(advice) = untrusted {
                return Err(Error::Untrusted {
                    url: self.url(),
                    requests: again.len(),
                    batch: batch.id().to_string(),
                    advice,
                }
                .into());
            }
            let Some((why, wanted)) = out else {
                return Ok(());
            };
            left = again;
            if done > 0 {
                pace.reset();
            }
            let pause = pace.after_failure(rand::random()).max(wanted);
            tracing::warn!(
                batch = %batch.id(),
                url = self.url(),
                left = left.len(),
                why,
                "the server is out; the records wait in checkpoints; trying again in {pause:?}"
            );
            if !patience.pause(pause) {
                return Err(Error::GivenUp(why).into());
            }
        }
    }
}

impl ToHttp {
    /// The URL as people may see it: a query may have a secret.
    fn url(&self) -> String {
        let mut url = self.target.url.clone();
        url.set_query(None);
        url.to_string()
    }
}

/// The beginning of an answer's body. The rest is read too, or the connection could not be used
/// again, up to a limit.
async fn beginning(mut response: Response) -> Result<String, reqwest::Error> {
    /// Past this, a new connection costs less.
    const MOST_READ: usize = 256 * 1024;
    let (mut kept, mut read) = (Vec::new(), 0);
    while let Some(chunk) = response.chunk().await? {
        read += chunk.len();
        let room = SHOWN.saturating_sub(kept.len()).min(chunk.len());
        kept.extend_from_slice(&chunk[..room]);
        if read > MOST_READ {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&kept).trim().to_owned())
}

/// What it means that there is no answer.
fn failed(error: reqwest::Error) -> Outcome {
    let explained = incumbent_tls::explain(&error);
    match explained {
        Some(why) if UNTRUSTED.contains(&why.reason) => Outcome::Untrusted { advice: why.advice },
        Some(why) => Outcome::Out {
            why: format!("TLS: {}", why.advice),
            pause: Duration::ZERO,
        },
        None if error.is_builder() => Outcome::Refused {
            status: "not sent".to_owned(),
            answer: chain(error),
        },
        None => Outcome::Out {
            why: chain(error),
            pause: Duration::ZERO,
        },
    }
}

/// An error with its causes, and without the URL.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
