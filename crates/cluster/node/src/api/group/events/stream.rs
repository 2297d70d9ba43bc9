//! One listener: what is written to it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::LeaderNow;
use super::hub::Told;
use crate::api::overview::Overview;
use crate::server::Ending;

/// Listeners of one node at a time. Each is one connection; people have a few tabs each.
pub const MOST_LISTENERS: usize = 256;

/// How long a stream goes on. A browser opens it again by itself, and has to be allowed to then.
pub const LONGEST_STREAM: Duration = Duration::from_secs(3600);

/// How often a listener hears that the connection is well.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a browser is told about how soon to come again, in milliseconds.
const RETRY_MS: u32 = 1000;

struct Stream {
    told: watch::Receiver<Told>,
    written: Written,
    ending: Option<Ending>,
    until: Instant,
    is_begun: bool,
    _permit: OwnedSemaphorePermit,
}

/// What was written last.
#[derive(Default)]
struct Written {
    leader: Option<LeaderNow>,
    overview: Option<Arc<Overview>>,
}

pub(super) fn response(
    told: watch::Receiver<Told>,
    ending: Option<Ending>,
    permit: OwnedSemaphorePermit,
) -> Response {
    let stream = Stream {
        told,
        written: Written::default(),
        ending,
        until: Instant::now() + LONGEST_STREAM,
        is_begun: false,
        _permit: permit,
    };
    let pieces = futures::stream::unfold(Some(stream), |stream| async {
        let mut stream = stream?;
        let bytes = stream.next().await?;
        Some((Ok::<_, io::Error>(bytes), Some(stream)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies in front pass it on at once.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl Stream {
    /// What to write next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.is_begun, true) {
            let told = self.told.borrow_and_update().clone();
            let begin = format!("retry: {RETRY_MS}\n\n");
            return Some((begin + &self.written.news(&told)).into());
        }
        loop {
            let ending = async {
                match &mut self.ending {
                    Some(ending) => ending.begun().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.told.changed() => changed.ok()?,
                () = ending => return None,
                () = tokio::time::sleep_until(self.until) => return None,
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(Bytes::from_static(b":\n\n")),
            }
            let told = self.told.borrow_and_update().clone();
            let news = self.written.news(&told);
            if !news.is_empty() {
                return Some(news.into());
            }
        }
    }
}

impl Written {
    /// The events that tell what differs from what was written last.
    fn news(&mut self, told: &Told) -> String {
        let mut text = String::new();
        if self.leader.as_ref() != Some(&told.leader) {
            event(&mut text, "leader", &told.leader);
            self.leader = Some(told.leader.clone());
        }
        let Some(overview) = &told.overview else {
            return text;
        };
        let last = self.overview.replace(Arc::clone(overview));
        let marks = last.as_ref().map(|last| &last.marks);
        if last.as_ref() != Some(overview) {
            event(&mut text, "overview", &**overview);
        }
        if marks.map(|marks| &marks.jobs) != Some(&overview.marks.jobs) {
            event(&mut text, "jobs", &json!({ "mark": overview.marks.jobs }));
        }
        if marks.map(|marks| &marks.nodes) != Some(&overview.marks.nodes) {
            event(&mut text, "nodes", &json!({ "mark": overview.marks.nodes }));
        }
        text
    }
}

fn event(text: &mut String, name: &str, data: &impl Serialize) {
    // Everything here can be written as JSON, which has no line breaks.
    let data = serde_json::to_string(data).unwrap_or_default();
    text.push_str(&format!("event: {name}\ndata: {data}\n\n"));
}
