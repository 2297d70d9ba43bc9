//! Bodies of requests: read within a limit and a time, or given up.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// How long nothing may come of a body.
pub(super) const STALL: Duration = Duration::from_secs(30);

/// How long a body of JSON may take in all.
const WHOLE: Duration = Duration::from_secs(60);

/// The largest body of a wish, in bytes. It has a word and a number.
pub(super) const SMALL: usize = 4096;

/// The bytes as they come. It fails if nothing comes for a while.
pub(crate) fn steady(body: Body) -> impl Stream<Item = io::Result<Bytes>> + Send {
    futures::stream::unfold(Some(body.into_data_stream()), async |stream| {
        let mut stream = stream?;
        match tokio::time::timeout(STALL, stream.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some(stream))),
            Ok(Some(Err(error))) => Some((Err(io::Error::other(error)), None)),
            Err(_) => {
                let late = format!("nothing came for {} s", STALL.as_secs());
                Some((Err(io::Error::new(io::ErrorKind::TimedOut, late)), None))
            }
        }
    })
}

/// The whole body.
pub(crate) async fn whole(body: Body, most: usize, what: &str) -> Result<Bytes, Problem> {
    let read = steady(body).try_fold(Vec::new(), async |mut all, bytes| {
        if all.len() + bytes.len() > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        all.extend_from_slice(&bytes);
        Ok(all)
    });
    match tokio::time::timeout(WHOLE, read).await {
        Ok(Ok(all)) => Ok(all.into()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
            Err(Problem::too_large(what, most as u64, "Make it smaller."))
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => Err(Problem::body_late()),
        Ok(Err(error)) => Err(Problem::bad_request(format!(
            "The body broke off: {error}."
        ))),
        Err(_) => Err(Problem::body_late()),
    }
}

/// A small body of JSON.
pub(super) async fn json<T: DeserializeOwned>(body: Body, what: &str) -> Result<T, Problem> {
    let bytes = whole(body, SMALL, what).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem::bad_request(format!("{what} cannot be understood: {error}.")))
}
