//! The address of a store. It has the same form everywhere.

use std::fmt;
use std::str::FromStr;

/// A parsed address: `scheme://authority/path?name=value`, or `scheme:path`.
///
/// The authority is kept as written, because some backends name several hosts there
/// (`zookeeper://a:2181,b:2181/path`).
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    scheme: String,
    authority: String,
    path: String,
    options: Vec<(String, String)>,
}

/// The text is not an address, or its backend cannot use it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address {address:?} cannot be used: {why}")]
pub struct BadAddress {
    address: String,
    why: String,
}

impl BadAddress {
    /// The same address, refused for another reason.
    #[must_use]
    pub fn with_reason(self, why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            ..self
        }
    }
}

impl Address {
    /// The part that chooses the backend, in lower case: `memory`, `file`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The text between `//` and the next `/`, as written; empty if there is none.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path, percent-decoded.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The options after `?`, decoded, in the order given.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Makes the error of a backend that cannot use this address. It shows the address without the
    /// login and the options.
    pub fn unusable(&self, why: impl Into<String>) -> BadAddress {
        BadAddress {
            address: self.to_string(),
            why: why.into(),
        }
    }

    /// Like [`unusable`](Self::unusable), but also leaves out the hosts: the fault may be that a
    /// password stands in the place of a host.
    pub(crate) fn unusable_hosts(&self, why: impl Into<String>) -> BadAddress {
        BadAddress {
            address: format!("{}://…{}", self.scheme, self.path),
            why: why.into(),
        }
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |why: &str| BadAddress {
            address: match text.rsplit_once('@') {
                Some((_, after)) => format!("…@{after}"),
                None => text.to_owned(),
            },
            why: why.to_owned(),
        };
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(bad("it has no scheme; for a directory write file:///path"));
        };
        if scheme.is_empty()
            || !scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '-')
        {
            return Err(bad(
                "its scheme is not a word; for a directory write file:///path",
            ));
        }
        let (authority, rest) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
            None => ("", rest),
        };
        // A `/` or `?` in a password ends the authority early. The rest of the login then looks
        // like a host, which would be connected to and logged.
        let misplaced_login = authority.contains([':', '@']) && rest.contains('@');
        if misplaced_login {
            return Err(bad(
                "there is an @ behind the hosts; write %40 for an @ in a path or option, and in a \
                 password %2F for /, %3F for ? and %40 for @",
            ));
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = percent_encoding::percent_decode_str(path)
            .decode_utf8()
            .map_err(|_| bad("its path is not UTF-8"))?;
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            authority: authority.to_owned(),
            path: path.into_owned(),
            options: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.authority.rsplit('@').next().unwrap_or_default();
        if self.authority.is_empty() && self.scheme == "memory" {
            write!(f, "{}:{}", self.scheme, self.path)
        } else {
            write!(f, "{}://{hosts}{}", self.scheme, self.path)
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_address_comes_apart() {
        let a: Address = "zookeeper://user:secret@h1:2181,h2:2181/a%20b?x=1&y=two+words"
            .parse()
            .unwrap();
        assert_eq!(
            (a.scheme(), a.authority(), a.path()),
            ("zookeeper", "user:secret@h1:2181,h2:2181", "/a b")
        );
        assert_eq!(
            a.options().collect::<Vec<_>>(),
            [("x", "1"), ("y", "two words")]
        );
        assert!(!format!("{a:?} {}", a.unusable("no")).contains("secret"));
    }

    #[test]
    fn short_forms() {
        let a: Address = "memory:".parse().unwrap();
        assert_eq!((a.scheme(), a.path()), ("memory", ""));
        let a: Address = "file:///var/lib/x".parse().unwrap();
        assert_eq!((a.authority(), a.path()), ("", "/var/lib/x"));
        assert!("/var/lib/x".parse::<Address>().is_err());
    }
}
