//! Taking a request apart.

use std::collections::BTreeMap;

use hyper::Method;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// An object is written at once.
    Put,
    /// An object is copied.
    Copy,
    /// An object, or a part of one, is read.
    Get,
    /// Whether an object is there, and how long it is.
    Head,
    /// Objects are deleted.
    Delete,
    /// Objects are listed.
    List,
    /// An upload in parts is begun.
    Begin,
    /// A part is written.
    Part,
    /// An upload in parts is completed.
    Complete,
    /// An upload in parts is given up.
    Abort,
}

/// A request.
pub(crate) struct Ask {
    pub(crate) act: Act,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) query: BTreeMap<String, String>,
    /// The key that the copy is of.
    pub(crate) source: Option<String>,
    /// The first and the last byte that are wanted.
    pub(crate) range: Option<(u64, Option<u64>)>,
    /// Only if there is none yet.
    pub(crate) is_conditional: bool,
    pub(crate) access_key: Option<String>,
}

impl Ask {
    /// `None` if it is nothing that is answered here.
    pub(crate) fn of(parts: &Parts) -> Option<Self> {
        let header = |name: &str| parts.headers.get(name)?.to_str().ok();
        let path = decoded(parts.uri.path());
        let (bucket, key) = path
            .strip_prefix('/')?
            .split_once('/')
            .unwrap_or((path.get(1..)?, ""));
        let query = parts.uri.query().unwrap_or_default();
        let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let has = |name: &str| query.contains_key(name);
        let source = header("x-amz-copy-source").map(decoded);
        let act = match (&parts.method, key.is_empty()) {
            (&Method::GET, true) if has("list-type") => Act::List,
            (&Method::POST, true) if has("delete") => Act::Delete,
            (_, true) => return None,
            (&Method::GET, _) => Act::Get,
            (&Method::HEAD, _) => Act::Head,
            (&Method::PUT, _) if has("uploadId") => Act::Part,
            (&Method::PUT, _) if source.is_some() => Act::Copy,
            (&Method::PUT, _) => Act::Put,
            (&Method::POST, _) if has("uploads") => Act::Begin,
            (&Method::POST, _) if has("uploadId") => Act::Complete,
            (&Method::DELETE, _) if has("uploadId") => Act::Abort,
            (&Method::DELETE, _) => Act::Delete,
            _ => return None,
        };
        let source = source.and_then(|source| {
            let (_, key) = source.trim_start_matches('/').split_once('/')?;
            Some(key.to_owned())
        });
        let range = header("range").and_then(|range| {
            let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()))
        });
        let credential = header("authorization").and_then(|text| {
            let (_, rest) = text.split_once("Credential=")?;
            Some(rest.split_once('/')?.0.to_owned())
        });
        Some(Self {
            act,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            source,
            range,
            is_conditional: header("if-none-match") == Some("*"),
            access_key: credential,
            query,
        })
    }

    pub(crate) fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
