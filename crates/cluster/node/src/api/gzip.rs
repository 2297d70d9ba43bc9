//! JSON compressed on its way to clients that accept it: lists of jobs become a tenth.

use std::io::{self, Write as _};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, VARY,
};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::Body as _;

use crate::security::is_of_task;

/// A smaller answer fits into one packet as it is.
const LEAST: u64 = 1400;

/// A larger answer is compressed elsewhere, so that it holds up no other request.
const LARGE: usize = 128 * 1024;

/// Compresses an answer of JSON that is there as a whole. Streams go as they come.
pub(super) async fn compressed(request: Request, next: Next) -> Response {
    let is_wanted = accepts(request.headers());
    let response = next.run(request).await;
    let length = response.body().size_hint().exact();
    let length = length.filter(|length| *length >= LEAST && is_json(&response));
    let Some(length) = length.filter(|_| is_wanted && !is_of_task(&response)) else {
        return response;
    };
    let (mut parts, body) = response.into_parts();
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Ok(plain) = axum::body::to_bytes(body, length).await else {
        let broken = futures::stream::iter([Err::<Bytes, _>(io::Error::other("it broke off"))]);
        return Response::from_parts(parts, Body::from_stream(broken));
    };
    let packed = match plain.len() {
        0..LARGE => packed(&plain),
        _ => {
            let plain = plain.clone();
            tokio::task::spawn_blocking(move || packed(&plain))
                .await
                .ok()
                .flatten()
        }
    };
    let Some(packed) = packed else {
        return Response::from_parts(parts, Body::from(plain));
    };
    parts.headers.remove(CONTENT_LENGTH);
    parts
        .headers
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts
        .headers
        .append(VARY, HeaderValue::from_static("accept-encoding"));
    Response::from_parts(parts, Body::from(packed))
}

fn packed(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

fn is_json(response: &Response) -> bool {
    let headers = response.headers();
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_json = kind.is_some_and(|kind| kind.starts_with(b"application/json"));
    is_json && response.status().is_success() && !headers.contains_key(CONTENT_ENCODING)
}

/// Whether a client says that it accepts gzip. One that names it with a weight may mean zero, and
/// gets the answer as it is.
fn accepts(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    let mut codings = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    codings.any(|coding| coding.trim().eq_ignore_ascii_case("gzip"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_that_plainly_accepts_gzip_gets_it() {
        let accepts = |line: &'static str| {
            let line = HeaderValue::from_static(line);
            accepts(&HeaderMap::from_iter([(ACCEPT_ENCODING, line)]))
        };
        for yes in ["gzip", "br, GZIP", "deflate, gzip, br, zstd"] {
            assert!(accepts(yes), "{yes}");
        }
        for no in ["", "identity", "gzip;q=0", "xgzip"] {
            assert!(!accepts(no), "{no}");
        }
    }
}
