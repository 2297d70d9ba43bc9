//! Answers that the gateway itself gives: problems, as RFC 9457 has them.
//!
//! ```json
//! {"type":"urn:incumbent:problem:no-leader","title":"Nobody leads","status":503,"processed":"no","detail":"…"}
//! ```
//!
//! `processed` says what a client has to know before it tries again: `no`, or `unknown`. It is
//! absent where that does not matter, as for a GET that was sent: it changes nothing. No problem
//! names an address.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::decide::route::Refusal;

/// Seconds after which a client may try again: a change of leader takes less, as a rule.
pub const RETRY_AFTER_SECONDS: u64 = 1;

/// Why the gateway itself answers.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// 503: nobody leads, for as long as a request is held.
    NoLeader,
    /// 503: the gateway cannot read who leads: the store does not answer, or refuses.
    Unreadable,
    /// 503: the leader has not published the endpoint.
    NotPublished,
    /// 503: the leader cannot be reached.
    Unreachable,
    /// 503: nobody felt responsible.
    Misdirected,
    /// 503: not processed, but too large to have been kept for the next leader.
    NotKept,
    /// 503: as many requests as may be are held already.
    TooManyHeld,
    /// 503: as many requests as may be are under way already.
    TooBusy,
    /// 502: it was sent and not answered. It may have been carried out.
    Lost,
    /// 503: it was sent and not answered, and nobody could be asked again in time. It may have been
    /// carried out.
    OutOfTime,
    /// 503: it was sent, and the gateway ends before the answer. It may be carried out yet.
    Closing,
    /// 502: it was sent as often as it may be, and never answered.
    TooOften,
    /// 502: what came back is no answer.
    BadAnswer,
    /// 502: the head of the answer has too many bytes or fields.
    AnswerTooLarge,
    /// 502: it needs HTTP/2, which the leader does not speak. It was not sent.
    NoHttp2,
    /// 504: no answer in time. It may be carried out yet.
    Slow,
    /// 508: it has passed here before.
    Loop,
    /// 413: its body is larger than allowed.
    TooLarge,
    /// 408: its body did not arrive in time, or not to its end.
    BodyLate,
    /// 400: no host, several, or one that cannot be.
    BadHost,
    /// 431: its head is larger than allowed.
    HeadTooLarge,
    /// 400: its target is no path.
    BadTarget,
    /// 400: its body is malformed.
    BadBody,
    /// 501: its body has a transfer coding other than `chunked`.
    UnknownCoding,
    /// 405: tunnels are not made here.
    NoTunnels,
    /// 417: it expects what nobody knows.
    Expectation,
    /// 401: no bearer token, or a wrong one.
    Unauthorized,
    /// 421, from a node: it does not lead, and did nothing.
    NotLeading,
    /// 503, from a node: its term ended while it worked. It may have been carried out.
    TermEnded,
}

/// Said of a request that was sent and is safe (RFC 9110, 9.2.1), instead of a doubt.
const ONLY_READS: &str = "The request only reads: nothing was changed, and it can be sent again.";

struct Words {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    detail: &'static str,
    /// Where there is no doubt.
    processed: Option<&'static str>,
    retry: bool,
}

impl Problem {
    /// Its status.
    pub fn status(self) -> StatusCode {
        self.words().status
    }

    /// Its name, as the last part of its `type`, and in metrics.
    pub fn name(self) -> &'static str {
        self.words().name
    }

    /// What a client has to know if the request may have been carried out.
    fn doubt(self) -> Option<&'static str> {
        match self {
            Self::Lost => Some("It may have been carried out, and cannot be sent again."),
            Self::OutOfTime => Some(
                "The request can be sent again without harm, but no leader could be asked again in time. It may have been carried out.",
            ),
            Self::Closing | Self::Slow => Some("It may be carried out yet."),
            Self::TooOften | Self::BadAnswer | Self::AnswerTooLarge | Self::TermEnded => {
                Some("The request may have been carried out.")
            }
            _ => None,
        }
    }

    /// Its header fields.
    pub(crate) fn headers(self, body: &Bytes) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.words().retry {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        match self {
            Self::NoTunnels => {
                headers.insert(
                    ALLOW,
                    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
                );
            }
            Self::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        headers
    }

    /// Its body, for a request that only reads (by its method) or for any other.
    pub(crate) fn body(self, only_reads: bool) -> Bytes {
        let words = self.words();
        let detail = match self.doubt() {
            Some(_) if only_reads => format!("{} {ONLY_READS}", words.detail),
            Some(doubt) => format!("{} {doubt}", words.detail),
            None => words.detail.to_owned(),
        };
        let mut body = json!({
            "type": format!("urn:incumbent:problem:{}", words.name),
            "title": words.title,
            "status": words.status.as_u16(),
            "detail": detail,
        });
        let processed = match self.doubt() {
            Some(_) if only_reads => None,
            Some(_) => Some("unknown"),
            None => words.processed,
        };
        if let Some(processed) = processed {
            body["processed"] = processed.into();
        }
        Bytes::from(body.to_string())
    }

    fn words(self) -> Words {
        let (status, name, title, detail) = match self {
            Self::NoLeader => (
                503,
                "no-leader",
                "Nobody leads",
                "Nobody leads, and the time to wait for a leader is over.",
            ),
            Self::Unreadable => (
                503,
                "unreadable",
                "The gateway cannot read who leads",
                "The store that records the leader does not answer the gateway, or does not let it read. The log of the gateway says why.",
            ),
            Self::NotPublished => (
                503,
                "not-published",
                "The leader does not serve this",
                "Somebody leads, but has not published the endpoint.",
            ),
            Self::Unreachable => (
                503,
                "unreachable",
                "The leader cannot be reached",
                "Somebody leads, but does not take connections.",
            ),
            Self::Misdirected => (
                503,
                "no-responsible",
                "Nobody is responsible",
                "Who was asked does not lead any more, and nobody else leads yet.",
            ),
            Self::NotKept => (
                503,
                "not-kept",
                "The leader has changed",
                "Who was asked does not lead any more, and the request was too large to be kept for the next leader.",
            ),
            Self::TooManyHeld => (
                503,
                "too-many-held",
                "Too many requests wait",
                "Nobody can be asked, and as many requests as may wait do so already.",
            ),
            Self::TooBusy => (
                503,
                "too-busy",
                "Too many requests at a time",
                "As many requests as may be are under way already.",
            ),
            Self::Lost => (
                502,
                "lost",
                "The connection to the leader broke",
                "The request was sent and not answered.",
            ),
            Self::OutOfTime => (
                503,
                "out-of-time",
                "No leader answered in time",
                "The request was sent, and the connection to the leader broke before the answer.",
            ),
            Self::Closing => (
                503,
                "closing",
                "The gateway shuts down",
                "The request was sent, and the gateway shuts down before the answer.",
            ),
            Self::TooOften => (
                502,
                "too-often",
                "The connection to the leader broke, several times",
                "The request was sent several times and never answered.",
            ),
            Self::BadAnswer => (
                502,
                "bad-answer",
                "The leader did not answer in HTTP",
                "What came back cannot be read.",
            ),
            Self::AnswerTooLarge => (
                502,
                "answer-too-large",
                "The head of the answer is too large",
                "The leader's answer has more than 64 KiB or 100 header fields.",
            ),
            Self::NoHttp2 => (
                502,
                "no-http2",
                "The leader does not speak HTTP/2",
                "The request is passed on in HTTP/2 only, so it was not sent.",
            ),
            Self::Slow => (
                504,
                "slow",
                "The leader did not answer in time",
                "The request was sent and not answered in time.",
            ),
            Self::Loop => (
                508,
                "loop",
                "The request goes round in a circle",
                "It has passed here before, or too many others.",
            ),
            Self::TooLarge => (
                413,
                "too-large",
                "The body is too large",
                "The body is larger than is allowed here.",
            ),
            Self::BodyLate => (
                408,
                "body-late",
                "The body did not arrive",
                "The body did not arrive in time, or not to its end.",
            ),
            Self::BadHost => (
                400,
                "bad-host",
                "The host is none",
                "A request names one host.",
            ),
            Self::HeadTooLarge => (
                431,
                "head-too-large",
                "The head is too large",
                "The header fields of the request are larger than allowed here.",
            ),
            Self::BadTarget => (
                400,
                "bad-target",
                "The target is no path",
                "A request names a path, or a URL with http or https.",
            ),
            Self::BadBody => (
                400,
                "bad-body",
                "The body is malformed",
                "The chunks of the body cannot be read.",
            ),
            Self::UnknownCoding => (
                501,
                "unknown-coding",
                "Unknown transfer coding",
                "The only transfer coding of a body is chunked, once.",
            ),
            Self::NoTunnels => (405, "no-tunnels", "No tunnels", "This is no open proxy."),
            Self::Expectation => (
                417,
                "expectation",
                "Unknown expectation",
                "Only 100-continue can be expected.",
            ),
            Self::Unauthorized => (
                401,
                "unauthorized",
                "Not allowed",
                "A bearer token is needed.",
            ),
            Self::NotLeading => (
                421,
                "not-leading",
                "This node does not lead",
                "The request was meant for the leader of another term. Nothing was done.",
            ),
            Self::TermEnded => (
                503,
                "term-ended",
                "This node does not lead any more",
                "Its term ended while it worked.",
            ),
        };
        let processed = match status {
            501 | 502 | 503 | 421 | 508 => Some("no"),
            _ => None,
        };
        Words {
            status: StatusCode::from_u16(status).expect("a status has three digits"),
            name,
            title,
            detail,
            processed,
            retry: matches!(status, 502 | 503),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NobodyLeads => Self::NoLeader,
            Refusal::Unreadable => Self::Unreadable,
            Refusal::Unpublished => Self::NotPublished,
            Refusal::Unreachable => Self::Unreachable,
            Refusal::Misdirected => Self::Misdirected,
            Refusal::NotKept => Self::NotKept,
            Refusal::Starting => Self::TooBusy,
            Refusal::Lost => Self::Lost,
            Refusal::OutOfTime => Self::OutOfTime,
            Refusal::Closing => Self::Closing,
            Refusal::TooOften => Self::TooOften,
            Refusal::Slow => Self::Slow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Problem; 26] = [
        Problem::NoLeader,
        Problem::NotPublished,
        Problem::Unreachable,
        Problem::Misdirected,
        Problem::NotKept,
        Problem::TooManyHeld,
        Problem::TooBusy,
        Problem::Lost,
        Problem::TooOften,
        Problem::BadAnswer,
        Problem::AnswerTooLarge,
        Problem::HeadTooLarge,
        Problem::BadTarget,
        Problem::BadBody,
        Problem::UnknownCoding,
        Problem::NoHttp2,
        Problem::Slow,
        Problem::Loop,
        Problem::TooLarge,
        Problem::BodyLate,
        Problem::BadHost,
        Problem::NoTunnels,
        Problem::Expectation,
        Problem::Unauthorized,
        Problem::NotLeading,
        Problem::TermEnded,
    ];

    #[test]
    fn every_problem_is_json_and_says_its_status() {
        for problem in ALL {
            let body = problem.body(false);
            let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(read["status"], problem.status().as_u16());
            assert_eq!(
                read["type"],
                format!("urn:incumbent:problem:{}", problem.name())
            );
            let headers = problem.headers(&body);
            assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
        }
    }

    #[test]
    fn who_may_try_again_is_told_so_and_whether_anything_was_done() {
        for problem in ALL {
            let retry = problem
                .headers(&problem.body(false))
                .contains_key(RETRY_AFTER);
            assert_eq!(retry, matches!(problem.status().as_u16(), 502 | 503));
        }
        let processed = |problem: Problem| {
            let body: serde_json::Value = serde_json::from_slice(&problem.body(false)).unwrap();
            body["processed"].as_str().map(str::to_owned)
        };
        assert_eq!(processed(Problem::NoLeader).as_deref(), Some("no"));
        assert_eq!(processed(Problem::NotLeading).as_deref(), Some("no"));
        assert_eq!(processed(Problem::Lost).as_deref(), Some("unknown"));
        assert_eq!(processed(Problem::TermEnded).as_deref(), Some("unknown"));
        assert_eq!(processed(Problem::Slow).as_deref(), Some("unknown"));
        assert_eq!(
            processed(Problem::AnswerTooLarge).as_deref(),
            Some("unknown")
        );
        assert_eq!(processed(Problem::BadHost), None);
    }

    #[test]
    fn nobody_is_told_that_reading_may_have_changed_something() {
        for problem in ALL {
            let body: serde_json::Value = serde_json::from_slice(&problem.body(true)).unwrap();
            let detail = body["detail"].as_str().unwrap();
            assert!(!detail.contains("carried out"), "{detail}");
            assert_ne!(body["processed"], "unknown", "{detail}");
            let is_told = detail.ends_with(ONLY_READS);
            assert_eq!(is_told, problem.doubt().is_some(), "{detail}");
        }
    }
}
