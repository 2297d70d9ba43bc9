//! [`Request`]: what is sent, and what its answer means. Pure.

use std::num::NonZeroUsize;
use std::time::Duration;

use incumbent_stream::outbox::Batch;
use reqwest::StatusCode;

/// The longest that a server can have us wait.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// Records that are sent together, or one.
pub(crate) struct Request {
    pub(crate) key: String,
    pub(crate) body: Vec<u8>,
}

/// The requests of a batch. They are the same each time.
pub(crate) fn requests(batch: &Batch, together: Option<NonZeroUsize>) -> Vec<Request> {
    let lines = batch.lines().collect::<Vec<_>>();
    let bodies = lines.chunks(together.map_or(1, NonZeroUsize::get));
    let bodies = bodies.map(|lines| match together {
        None => lines.concat(),
        Some(_) => [b"[".as_slice(), &lines.join(&b','), b"]"].concat(),
    });
    let request = |(number, body)| Request {
        key: format!("{}/{number}", batch.id()),
        body,
    };
    bodies.enumerate().map(request).collect()
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server has it.
    Done,
    /// Send it again later, and not before this time.
    Out { why: String, pause: Duration },
    /// Nothing was sent: the server's certificate is refused, and this is what to do about it.
    Untrusted { advice: String },
    /// Sending it again would not help.
    Refused { status: String, answer: String },
}

/// What an answer means.
pub(crate) fn outcome(
    status: StatusCode,
    retry_after: Option<&str>,
    answer: &str,
    done: &[StatusCode],
) -> Outcome {
    if status.is_success() || done.contains(&status) {
        return Outcome::Done;
    }
    let may_pass = match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => false,
        status => status.is_server_error(),
    };
    if !may_pass {
        return Outcome::Refused {
            status: status.to_string(),
            answer: answer.to_owned(),
        };
    }
    // A date would need a clock that agrees with the server's.
    let seconds = retry_after.and_then(|value| value.trim().parse().ok());
    Outcome::Out {
        why: format!("it answers {status}: {answer}"),
        pause: Duration::from_secs(seconds.unwrap_or(0)).min(LONGEST_RETRY_AFTER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_waited_for_and_the_rest_is_refused() {
        let of = |status: u16, after| {
            outcome(
                StatusCode::from_u16(status).unwrap(),
                after,
                "text",
                &[StatusCode::CONFLICT],
            )
        };
        for status in [200, 201, 204, 409] {
            assert_eq!(of(status, None), Outcome::Done, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            let Outcome::Out { pause, .. } = of(status, Some("7")) else {
                panic!("{status}")
            };
            assert_eq!(pause, Duration::from_secs(7));
        }
        for status in [301, 400, 401, 404, 413, 422, 501] {
            assert!(
                matches!(of(status, None), Outcome::Refused { .. }),
                "{status}"
            );
        }
        let Outcome::Out { pause, .. } = of(503, Some("99999999")) else {
            panic!()
        };
        assert_eq!(pause, LONGEST_RETRY_AFTER);
        let date = Some("Wed, 21 Oct 2026 07:28:00 GMT");
        let Outcome::Out { pause, .. } = of(503, date) else {
            panic!()
        };
        assert_eq!(pause, Duration::ZERO);
    }
}
