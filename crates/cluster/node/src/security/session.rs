//! Sessions of browsers: a cookie in place of the token.
//!
//! The value is `v1.UNTIL.MAC`: a time in seconds since 1970, and an HMAC of it under the token. So
//! every node that has the token accepts it, none keeps a list, and the token itself is in no
//! cookie. Another token ends all sessions. Nodes whose clocks differ end a session so much earlier
//! or later.

use std::time::{Duration, SystemTime};

use axum::extract::Request;
use axum::http::header::{COOKIE, HeaderMap};
use axum::http::{HeaderName, Method};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::token::Token;
use crate::api::Problem;
use crate::identity::hex;

/// How long a session lasts: a working day, and no longer than a night.
pub const SESSION_TIME: Duration = Duration::from_secs(12 * 3600);

/// The format of the value.
const FORMAT: &str = "v1";

/// What the key is used for, so that no other use of the token gives the same.
const SESSION: &str = "incumbent session";
const NAME: &str = "incumbent session name";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

impl Token {
    /// The value of a session until then.
    pub(crate) fn session(&self, until: SystemTime) -> String {
        let until = seconds(until);
        format!("{FORMAT}.{until}.{}", self.mac(SESSION, until))
    }

    /// The name of the cookie. Browsers send cookies to all ports of a host: clusters with
    /// different tokens have different names, so that they leave each other alone.
    pub(crate) fn cookie(&self) -> String {
        let name = self.mac(NAME, 0);
        format!("incumbent-{}", &name[..8])
    }

    /// Whether a request comes from a browser that has logged in.
    fn is_logged_in(&self, headers: &HeaderMap, now: SystemTime) -> bool {
        let name = self.cookie();
        values(headers, &name).any(|value| self.is_session(value, now))
    }

    /// Whether a request brings a cookie of that name, of a session or of one that is over.
    pub(crate) fn has_cookie(&self, headers: &HeaderMap) -> bool {
        values(headers, &self.cookie()).next().is_some()
    }

    fn is_session(&self, value: &str, now: SystemTime) -> bool {
        let mut parts = value.split('.');
        let (Some(FORMAT), Some(until), Some(mac), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        let Ok(until) = until.parse::<u64>() else {
            return false;
        };
        let is_ours: bool = self
            .mac(SESSION, until)
            .as_bytes()
            .ct_eq(mac.as_bytes())
            .into();
        let latest = seconds(now).saturating_add(2 * SESSION_TIME.as_secs());
        is_ours && (seconds(now)..latest).contains(&until)
    }

    fn mac(&self, purpose: &str, number: u64) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.bytes()).expect("any length is a key");
        mac.update(purpose.as_bytes());
        mac.update(&number.to_be_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

/// The values of all cookies of this name.
fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(COOKIE).iter();
    let cookies = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    cookies.filter_map(move |cookie| {
        let (cookie, value) = cookie.trim().split_once('=')?;
        (cookie == name).then_some(value)
    })
}

/// Refuses a request that has neither the token nor a session.
///
/// A browser sends its cookies with whatever a page asks for. So what a session may change has to
/// say that it comes from this node's own page: that nothing was said is not enough, as it is for a
/// program that has the token.
pub(super) fn check(token: &Token, request: &Request, now: SystemTime) -> Result<(), Problem> {
    let headers = request.headers();
    let with_token = token.check(headers);
    if with_token.is_ok() || !token.is_logged_in(headers, now) {
        return with_token;
    }
    let site = headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes());
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    match site {
        Some(b"same-origin") => Ok(()),
        // Typed by a person, or a browser that says nothing.
        Some(b"none") | None if is_reading => Ok(()),
        // It was checked to be this node's.
        None if headers.contains_key(axum::http::header::ORIGIN) => Ok(()),
        Some(_) | None => Err(Problem::foreign_page()),
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn token() -> Token {
        Token::new("0123456789abcdef0123".into()).unwrap()
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + NOW
    }

    fn checked(method: &str, fields: &[(&str, &str)]) -> Result<(), u16> {
        let mut request = Request::builder().method(method).uri("/v1/jobs");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        check(&token(), &request, now()).map_err(|problem| problem.status)
    }

    #[test]
    fn a_session_opens_until_its_time_and_without_the_token_in_it() {
        let token = token();
        let until = now() + Duration::from_secs(60);
        let value = token.session(until);
        assert!(!value.contains("0123456789abcdef"));
        assert!(token.is_session(&value, now()));
        assert!(!token.is_session(&value, until + Duration::from_secs(1)));
        let other = Token::new("another token of enough".replace(' ', "-")).unwrap();
        assert!(!other.is_session(&value, now()));
        assert_ne!(other.cookie(), token.cookie());
    }

    #[test]
    fn what_was_altered_is_no_session() {
        let token = token();
        let value = token.session(now() + Duration::from_secs(60));
        let later = value.replace(
            &(NOW.as_secs() + 60).to_string(),
            &(NOW.as_secs() + 61).to_string(),
        );
        // Nobody could have been given one that lasts for a year.
        let long = token.session(now() + Duration::from_secs(365 * 24 * 3600));
        for bad in [
            "",
            "v1",
            "v1..",
            &value[..value.len() - 1],
            &later,
            &long,
            &format!("{value}.x"),
            &value.replace("v1", "v2"),
        ] {
            assert!(!token.is_session(bad, now()), "{bad}");
        }
    }

    #[test]
    fn a_session_changes_something_only_from_a_page_of_this_node() {
        let token = token();
        let cookie = format!(
            "a=b; {}={}; c=d",
            token.cookie(),
            token.session(now() + Duration::from_secs(60))
        );
        let cookie = ("cookie", &cookie[..]);
        assert_eq!(checked("GET", &[cookie]), Ok(()));
        assert_eq!(
            checked("GET", &[cookie, ("sec-fetch-site", "none")]),
            Ok(())
        );
        for site in ["cross-site", "same-site"] {
            assert_eq!(
                checked("GET", &[cookie, ("sec-fetch-site", site)]),
                Err(403)
            );
        }
        for method in ["PUT", "POST", "DELETE"] {
            assert_eq!(
                checked(method, &[cookie]),
                Err(403),
                "it says nothing of where it comes from"
            );
            assert_eq!(
                checked(method, &[cookie, ("sec-fetch-site", "none")]),
                Err(403)
            );
            assert_eq!(
                checked(method, &[cookie, ("sec-fetch-site", "same-origin")]),
                Ok(())
            );
            // That the origin is this node's is checked before.
            assert_eq!(
                checked(method, &[cookie, ("origin", "http://localhost")]),
                Ok(())
            );
        }
        assert_eq!(
            checked("GET", &[("cookie", "incumbent-00000000=v1.9999999999.00")]),
            Err(401)
        );
        assert_eq!(checked("GET", &[]), Err(401));
    }
}
