//! May a request be sent again? [`again`] decides, and nothing else does.
//!
//! A request that was sent and not answered may have been carried out. Sending it again is right
//! only if that does no harm, and possible only if its whole body can be sent again. Once the head
//! of an answer has come there is no more to decide: it is passed on, and nobody is asked again.

use http::{HeaderMap, HeaderName, Method};

/// By this header a client says that the server knows a request that comes twice.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How much of a request's body could still be sent from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// All of it: nothing was read of it yet, or what was read was kept.
    Whole,
    /// Not its beginning: it was too large, or there was no room for it.
    Cut,
}

/// What became of the attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing of it was sent, or the node said that it did nothing.
    NotProcessed,
    /// It was sent, in part at least, and not answered.
    Unknown,
}

/// Why a request is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Once {
    /// It may have been carried out, and doing so twice may do harm.
    Unsafe,
    /// Its body is gone.
    BodyGone,
}

/// Whether a request may be carried out twice without harm: by its method (RFC 9110, 9.2.2), or
/// because it has a key by which the server knows it again.
pub(crate) fn is_safe(method: &Method, headers: &HeaderMap) -> bool {
    method.is_idempotent()
        || headers
            .get(IDEMPOTENCY_KEY)
            .is_some_and(|key| !key.is_empty())
}

/// Whether a request may be sent again.
///
/// # Errors
///
/// [`Once`]: why not.
pub(crate) fn again(is_safe: bool, fate: Fate, kept: Kept) -> Result<(), Once> {
    match (fate, kept) {
        (Fate::Unknown, _) if !is_safe => Err(Once::Unsafe),
        (Fate::Unknown | Fate::NotProcessed, Kept::Cut) => Err(Once::BodyGone),
        (Fate::Unknown | Fate::NotProcessed, Kept::Whole) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_key(key: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(IDEMPOTENCY_KEY, http::HeaderValue::from_static(key));
        headers
    }

    #[test]
    fn methods_are_safe_to_repeat_as_the_standard_says() {
        let none = HeaderMap::new();
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
            assert!(is_safe(&method.parse().unwrap(), &none), "{method}");
        }
        for method in ["POST", "PATCH", "LOCK", "get", "PUBLISH"] {
            assert!(!is_safe(&method.parse().unwrap(), &none), "{method}");
            assert!(
                is_safe(&method.parse().unwrap(), &with_key("a")),
                "{method}"
            );
            assert!(
                !is_safe(&method.parse().unwrap(), &with_key("")),
                "{method}"
            );
        }
    }

    #[test]
    fn what_may_have_been_done_is_repeated_only_if_that_is_safe() {
        assert_eq!(again(false, Fate::Unknown, Kept::Whole), Err(Once::Unsafe));
        assert_eq!(again(true, Fate::Unknown, Kept::Whole), Ok(()));
        assert_eq!(again(false, Fate::NotProcessed, Kept::Whole), Ok(()));
    }

    #[test]
    fn nothing_is_repeated_without_its_body() {
        for safe in [false, true] {
            assert_eq!(
                again(safe, Fate::NotProcessed, Kept::Cut),
                Err(Once::BodyGone)
            );
        }
        assert_eq!(again(true, Fate::Unknown, Kept::Cut), Err(Once::BodyGone));
        assert_eq!(again(false, Fate::Unknown, Kept::Cut), Err(Once::Unsafe));
    }
}
