//! What a leader publishes, read as addresses: [`Upstream`].

use std::fmt;

/// One address of a leader.
///
/// Published are one or several, separated by commas: `host:port`, or a URL. The path of a URL is
/// not used: requests keep the path that the client asked for, so that links, cookies and redirects
/// of the application stay true.
///
/// | written | means |
/// |---|---|
/// | `host:port`, `[::1]:port` | HTTP/1.1, or HTTP/2 where a client needs it (gRPC) |
/// | `http://host[:port]` | the same; port 80 if none is named |
/// | `https://host[:port]` | over TLS; port 443 if none is named |
/// | `h2c://host[:port]`, `h2://host[:port]` | always HTTP/2: without and with TLS; the first address says it for all |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether it is spoken to over TLS.
    pub tls: bool,
    /// Whether HTTP/2 is spoken to it in any case.
    pub http2: bool,
}

/// An address that is none, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address:?} is not host:port and no URL of a server: {why}")]
pub struct BadUpstream {
    address: String,
    why: &'static str,
}

/// The most addresses of one endpoint that are tried; what a request may cost if nobody answers is
/// bounded by them.
pub const MOST_ADDRESSES: usize = 8;

/// Reads what was published under one name. Addresses without a scheme are spoken to over TLS if
/// `tls` says so.
///
/// # Errors
///
/// [`BadUpstream`] for the first that is none, or if there are more than [`MOST_ADDRESSES`].
pub(crate) fn read(published: &str, tls: bool) -> Result<Vec<Upstream>, BadUpstream> {
    let parts: Vec<&str> = published
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() || parts.len() > MOST_ADDRESSES {
        return Err(bad(published, "it must be one to eight addresses"));
    }
    parts.into_iter().map(|part| one(part, tls)).collect()
}

fn one(text: &str, tls: bool) -> Result<Upstream, BadUpstream> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let (host, port) = split(text, text)?;
        let port = port.ok_or_else(|| bad(text, "it has no port"))?;
        return Ok(Upstream {
            host,
            port,
            tls,
            http2: false,
        });
    };
    let (tls, http2) = match scheme.to_ascii_lowercase().as_str() {
        "http" => (false, false),
        "https" => (true, false),
        "h2c" => (false, true),
        "h2" => (true, true),
        _ => return Err(bad(text, "its scheme is none of http, https, h2c and h2")),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, port) = split(text, &rest[..end])?;
    let port = port.unwrap_or(if tls { 443 } else { 80 });
    Ok(Upstream {
        host,
        port,
        tls,
        http2,
    })
}

fn split(text: &str, authority: &str) -> Result<(String, Option<u16>), BadUpstream> {
    if authority.contains('@') {
        return Err(bad(text, "it has a user name"));
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest
                .split_once(']')
                .ok_or_else(|| bad(text, "its bracket is not closed"))?;
            host.parse::<std::net::Ipv6Addr>()
                .map_err(|_| bad(text, "there is no IPv6 address in its brackets"))?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(bad(text, "something follows its bracket")),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(is_word) {
        return Err(bad(text, "its host is none"));
    }
    let port = match port {
        None => None,
        Some(port) => Some(number(port).ok_or_else(|| bad(text, "its port is none"))?),
    };
    Ok((host.to_ascii_lowercase(), port))
}

fn number(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

fn bad(address: &str, why: &'static str) -> BadUpstream {
    BadUpstream {
        address: address.chars().take(200).collect(),
        why,
    }
}

impl Upstream {
    /// Whether `authority`, of a URL with this scheme, names this address.
    pub fn is_named_by(&self, scheme: Option<&str>, authority: &str) -> bool {
        let Ok((host, port)) = split(authority, authority) else {
            return false;
        };
        let default = match scheme {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => 443,
            Some(_) => 80,
            None => self.port,
        };
        host == self.host && port.unwrap_or(default) == self.port
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(host: &str, port: u16) -> Upstream {
        Upstream {
            host: host.into(),
            port,
            tls: false,
            http2: false,
        }
    }

    #[test]
    fn what_people_publish_is_understood() {
        for (text, host, port, tls, http2) in [
            ("10.0.0.7:8081", "10.0.0.7", 8081, false, false),
            ("Node-1.example:80", "node-1.example", 80, false, false),
            ("[::1]:8081", "::1", 8081, false, false),
            ("http://h", "h", 80, false, false),
            ("http://h:8000/path?x#y", "h", 8000, false, false),
            ("HTTPS://h/", "h", 443, true, false),
            ("https://[fe80::1]", "fe80::1", 443, true, false),
            ("h2c://h:50051", "h", 50051, false, true),
            ("h2://h", "h", 443, true, true),
        ] {
            let expected = Upstream {
                host: host.into(),
                port,
                tls,
                http2,
            };
            assert_eq!(read(text, false), Ok(vec![expected]), "{text}");
        }
        assert!(read("h:1", true).unwrap()[0].tls);
        assert!(!read("http://h:1", true).unwrap()[0].tls);
    }

    #[test]
    fn several_addresses_keep_their_order() {
        let found = read("a:1, http://b:2 ,", false).unwrap();
        assert_eq!(found, [plain("a", 1), plain("b", 2)]);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ",",
            "h",
            ":80",
            "h:",
            "h:0",
            "h:65536",
            "h:+1",
            "h:1:2",
            "[::1",
            "[::1]80",
            "[x]:1",
            "ftp://h",
            "http://",
            "http://u@h",
            "u@h:1",
            "a b:1",
            "h:1\r\nX: y",
            "a/b:1",
            "a:1,b",
            "a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1",
        ] {
            assert!(read(text, false).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_authority_names_an_address_with_its_default_port_too() {
        let at = plain("h", 80);
        assert!(at.is_named_by(Some("http"), "H"));
        assert!(at.is_named_by(Some("http"), "h:80"));
        assert!(!at.is_named_by(Some("https"), "h"));
        assert!(!at.is_named_by(Some("http"), "h:81"));
        assert!(!at.is_named_by(Some("http"), "g"));
        assert!(plain("::1", 8080).is_named_by(None, "[::1]:8080"));
        assert!(plain("h", 8080).is_named_by(None, "h"));
    }
}
