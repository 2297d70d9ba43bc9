//! [`NodeUrl`]: where a node of a cluster answers.

use std::fmt;
use std::str::FromStr;

use incumbent::backend::redacted;

use crate::http::host_and_port;

/// The URL of a node, without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeUrl {
    pub(crate) is_tls: bool,
    /// `host:port`.
    pub(crate) authority: String,
}

impl NodeUrl {
    /// The host, without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        let (host, _) = self.authority.rsplit_once(':').unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

impl FromStr for NodeUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let named = |why: &str| format!("{:?}: {why}", redacted(text));
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(named("it must begin with http:// or https://")),
        };
        if rest.contains('@') {
            return Err(named("a token goes into a file: --token-file FILE"));
        }
        if rest.find('/').is_some_and(|at| &rest[at..] != "/") {
            return Err(named("write the URL of a node without a path"));
        }
        let authority = host_and_port(&format!("{scheme}://{rest}")).map_err(named)?;
        Ok(Self { is_tls, authority })
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

/// Text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(byte.into()),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_a_host_with_a_port_or_a_url_without_a_path() {
        for (text, url) in [
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("http://any-node:8081/", "http://any-node:8081"),
            ("any-node:8081", "http://any-node:8081"),
            ("https://any-node", "https://any-node:443"),
            ("http://[::1]:1", "http://[::1]:1"),
        ] {
            let parsed: NodeUrl = text.parse().unwrap();
            assert_eq!(parsed.to_string(), url);
        }
        assert_eq!("http://[::1]:1".parse::<NodeUrl>().unwrap().host(), "::1");
        for bad in [
            "",
            "http://",
            "ftp://a:1",
            "http://a:1/v1",
            "http://u:secret@a:1",
            "http://a:0",
            "not an address",
            "a",
        ] {
            let parsed = bad.parse::<NodeUrl>();
            if bad == "a" {
                assert_eq!(parsed.unwrap().to_string(), "http://a:80");
                continue;
            }
            let why = parsed.unwrap_err();
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
