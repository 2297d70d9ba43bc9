//! What a node answers instead of what was asked for: `application/problem+json`.

use hyper::StatusCode;
use serde_json::Value;

use crate::exit::{Code, Failure};

/// A request that was refused, or could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// The last word of its type, as `no-leader`.
    pub(crate) kind: String,
    /// In words.
    pub(crate) detail: String,
    /// Whether something may have been done all the same.
    pub(crate) is_unknown: bool,
}

/// Longest answer of a program that does not speak of problems which is repeated, in characters.
const LONGEST_STRANGE: usize = 200;

impl Problem {
    pub(super) fn read(status: StatusCode, body: &[u8]) -> Self {
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| problem[name].as_str().map(str::to_owned);
        let kind = text("type").unwrap_or_default();
        let kind = kind.rsplit([':', '/']).next().unwrap_or_default();
        Self {
            status,
            kind: kind.to_owned(),
            is_unknown: match problem["processed"].as_str() {
                Some(processed) => processed == "unknown",
                // Of a proxy, perhaps.
                None => status == StatusCode::GATEWAY_TIMEOUT,
            },
            detail: text("detail").or_else(|| text("title")).map_or_else(
                || strange(status, body),
                |detail| detail + &fields(&problem),
            ),
        }
    }

    pub(crate) fn code(&self) -> Code {
        match (self.status, self.kind.as_str()) {
            (_, "no-leader") => Code::NoLeader,
            _ if self.is_unknown => Code::Unknown,
            (StatusCode::NOT_FOUND, _) => Code::NotFound,
            (
                StatusCode::CONFLICT
                | StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::PRECONDITION_FAILED,
                _,
            ) => Code::Refused,
            (
                StatusCode::BAD_REQUEST
                | StatusCode::UNPROCESSABLE_ENTITY
                | StatusCode::PAYLOAD_TOO_LARGE,
                _,
            ) => Code::Usage,
            (
                StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::BAD_GATEWAY
                | StatusCode::GATEWAY_TIMEOUT,
                _,
            ) => Code::Unavailable,
            _ => Code::Failed,
        }
    }
}

/// What is wrong with which field of what was sent.
fn fields(problem: &Value) -> String {
    let errors = problem["errors"].as_array().into_iter().flatten();
    let field = |error: &Value| {
        let (field, message) = (error["field"].as_str()?, error["message"].as_str()?);
        Some(format!("; {field}: {message}"))
    };
    errors.filter_map(field).collect()
}

fn strange(status: StatusCode, body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(body)
        .trim()
        .chars()
        .take(LONGEST_STRANGE)
        .collect();
    match text.is_empty() {
        true => format!("the answer was {status}, without a reason"),
        false => format!("the answer was {status}: {text:?}; is this a node of a cluster?"),
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let code = problem.code();
        let advice = match problem.status {
            StatusCode::UNAUTHORIZED if !problem.detail.contains("--token-file") => {
                "; add --token-file FILE, or set INCUMBENT_TOKEN_FILE"
            }
            _ => "",
        };
        Self::new(format!("{}{advice}", problem.detail)).code(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_sentence_and_a_code() {
        let body = br#"{"type":"urn:incumbent:problem:no-leader","title":"t","status":503,"detail":"nobody leads"}"#;
        let problem = Problem::read(StatusCode::SERVICE_UNAVAILABLE, body);
        assert_eq!(
            (problem.kind.as_str(), problem.detail.as_str()),
            ("no-leader", "nobody leads")
        );
        assert_eq!(problem.code(), Code::NoLeader);
        let strange = Problem::read(StatusCode::NOT_FOUND, b"<html>\n");
        assert_eq!(
            strange.detail,
            "the answer was 404 Not Found: \"<html>\"; is this a node of a cluster?"
        );
    }

    #[test]
    fn a_late_answer_is_an_unknown_outcome_unless_it_says_that_nothing_was_done() {
        let late = StatusCode::GATEWAY_TIMEOUT;
        for (body, unknown) in [
            (&br#"{"processed":"unknown"}"#[..], true),
            (br#"{"processed":"no"}"#, false),
            (b"", true),
        ] {
            let problem = Problem::read(late, body);
            assert_eq!(problem.is_unknown, unknown);
            let expected = if unknown {
                Code::Unknown
            } else {
                Code::Unavailable
            };
            assert_eq!(problem.code(), expected);
        }
        // As it is asked for what only reads.
        let mut read = Problem::read(late, b"");
        read.is_unknown = false;
        assert_eq!(read.code(), Code::Unavailable);
    }

    #[test]
    fn a_missing_token_is_asked_for() {
        let problem = Problem::read(
            StatusCode::UNAUTHORIZED,
            br#"{"detail":"a token is needed"}"#,
        );
        let failure = Failure::from(problem);
        assert_eq!(
            failure.message(),
            "a token is needed; add --token-file FILE, or set INCUMBENT_TOKEN_FILE"
        );
    }
}
