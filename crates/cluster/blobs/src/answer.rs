//! What a store over the network said about a request that failed, without what may be secret.
//!
//! The library's errors hold the whole answer. That of S3 to a wrong signature repeats the request
//! as it was signed, with the session token in it; and the URL of an endpoint may hold a password.
//! So only the status, the code and the innermost cause are kept.

use std::error::Error as StdError;
use std::fmt;

use object_store::client::{HttpError, HttpErrorKind};

/// Precedes the status, in the words of the library.
const STATUS: &str = "status code: ";

/// Longest code, and longest cause, that is shown.
const LONGEST: usize = 200;

/// Codes that say that there is no room.
const FULL: [&str; 4] = [
    "QuotaExceeded",
    "InsufficientStorage",
    "XMinioStorageFull",
    "StorageFull",
];

/// Codes of refusals that have no status of one.
const DENIED: [&str; 4] = [
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "AuthorizationHeaderMalformed",
];

/// What a store said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    status: Option<u16>,
    /// As S3 names it, as in `SlowDown`.
    code: Option<String>,
    /// Why there was no answer, if there was none.
    cause: Option<String>,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A person has to grant it.
    Denied,
    /// A person has to make room.
    Full,
    /// Try again later.
    Unavailable,
}

impl Answer {
    /// What the library's error says.
    pub(crate) fn of(error: &object_store::Error) -> Self {
        let text = error.to_string();
        let status = text.split_once(STATUS).and_then(|(_, rest)| {
            let digits = rest.get(..3)?;
            digits.parse().ok()
        });
        let code = text
            .split_once("<Code>")
            .and_then(|(_, rest)| rest.split_once("</Code>"))
            .map(|(code, _)| code)
            .filter(|code| code.len() <= LONGEST && code.bytes().all(|b| b.is_ascii_alphanumeric()))
            .map(str::to_owned);
        let cause = match (status, &code) {
            (None, None) => Some(cause(error)),
            _ => None,
        };
        Self {
            status,
            code,
            cause,
        }
    }

    pub(crate) fn meaning(&self) -> Meaning {
        let is_one_of = |codes: &[&str]| {
            self.code
                .as_deref()
                .is_some_and(|code| codes.contains(&code))
        };
        if self.status == Some(507) || is_one_of(&FULL) {
            Meaning::Full
        } else if matches!(self.status, Some(401 | 403)) || is_one_of(&DENIED) {
            Meaning::Denied
        } else {
            Meaning::Unavailable
        }
    }

    /// Whether there is no such bucket. If it is a request for a name, the name may be missing.
    pub(crate) fn is_no_bucket(&self) -> bool {
        self.code.as_deref() == Some("NoSuchBucket")
    }

    /// Whether the store cannot do that at all.
    pub(crate) fn is_not_implemented(&self) -> bool {
        self.status == Some(501) || self.code.as_deref() == Some("NotImplemented")
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cause) = &self.cause {
            return f.write_str(cause);
        }
        f.write_str("the store answered")?;
        if let Some(status) = self.status {
            write!(f, " {status}")?;
        }
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        Ok(())
    }
}

impl StdError for Answer {}

/// The innermost cause: it says most, and repeats nothing.
pub(crate) fn innermost(error: &object_store::Error) -> String {
    let mut innermost: &(dyn StdError + 'static) = error;
    while let Some(next) = innermost.source() {
        innermost = next;
    }
    innermost.to_string().chars().take(LONGEST).collect()
}

/// Why there was no answer.
fn cause(error: &object_store::Error) -> String {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<HttpError>() {
            Some(http) if http.kind() == HttpErrorKind::Timeout => {
                return "a request was not answered in time".to_owned();
            }
            Some(_) => break,
            None if error.is::<std::io::Error>() => break,
            None => cause = error.source(),
        }
    }
    match cause {
        Some(_) => innermost(error),
        // What the library says of itself may repeat anything.
        None => kind(error).to_owned(),
    }
}

fn kind(error: &object_store::Error) -> &'static str {
    match error {
        object_store::Error::NotFound { .. } => "it was not found",
        object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. } => {
            "the store cannot do that"
        }
        object_store::Error::JoinError { .. } => "it was cut off",
        _ => "the answer of the store was not understood, or this machine has no credentials",
    }
}
