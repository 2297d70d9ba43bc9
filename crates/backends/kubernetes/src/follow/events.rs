//! From the text of a watch to its events.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use incumbent_backend::causes;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::call::Chunks;

/// Longest event: an object has 3 MiB at most, and some of its text is escaped.
const LONGEST_EVENT: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event<T> {
    /// Created, replaced, or newly selected.
    Applied(T),
    /// Deleted, or no longer selected; this is its last state.
    Deleted(T),
    /// Nothing happened up to this revision.
    Bookmark(T),
    /// The server has dropped the history that the watch continues from.
    Expired,
    /// The server ends the watch with an error.
    Failed(String),
}

/// Why there are no more events.
#[derive(Debug, PartialEq)]
pub(crate) enum Ended {
    /// The server ended it, in order.
    InOrder,
    /// It broke, or an event cannot be read.
    Broken(String),
}

/// Events, as they come.
pub(crate) struct Events {
    chunks: Chunks,
    /// The beginning of a line whose end has not come.
    rest: BytesMut,
}

#[derive(Deserialize)]
struct Line<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    object: &'a serde_json::value::RawValue,
}

#[derive(Deserialize)]
struct WatchError {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    message: String,
}

impl Events {
    pub(crate) fn new(chunks: Chunks) -> Self {
        Self {
            chunks,
            rest: BytesMut::new(),
        }
    }

    /// The next one.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Event<T>, Ended> {
        loop {
            if let Some(line) = self.line() {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return understand(&line);
            }
            if self.rest.len() > LONGEST_EVENT {
                return Err(Ended::Broken(format!(
                    "an event is longer than {LONGEST_EVENT} bytes"
                )));
            }
            match self.chunks.next().await {
                Some(Ok(chunk)) => self.rest.extend_from_slice(&chunk),
                Some(Err(error)) => return Err(Ended::Broken(causes(&*error))),
                None if self.rest.is_empty() => return Err(Ended::InOrder),
                None => return Err(Ended::Broken("it ended in the middle of an event".into())),
            }
        }
    }

    fn line(&mut self) -> Option<Bytes> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        Some(self.rest.split_to(end + 1).freeze())
    }
}

fn understand<T: DeserializeOwned>(line: &[u8]) -> Result<Event<T>, Ended> {
    let broken =
        |error: serde_json::Error| Ended::Broken(format!("an event cannot be read: {error}"));
    let line: Line<'_> = serde_json::from_slice(line).map_err(broken)?;
    let object = || serde_json::from_str(line.object.get()).map_err(broken);
    match line.r#type {
        "ADDED" | "MODIFIED" => object().map(Event::Applied),
        "DELETED" => object().map(Event::Deleted),
        "BOOKMARK" => object().map(Event::Bookmark),
        "ERROR" => {
            let error: WatchError = serde_json::from_str(line.object.get()).map_err(broken)?;
            Ok(match error.code {
                410 => Event::Expired,
                code => Event::Failed(format!("{code}: {}", error.message)),
            })
        }
        other => Err(Ended::Broken(format!(
            "an event has the unknown type {other:?}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use serde_json::{Value, json};

    use super::*;

    async fn events(chunks: Vec<&'static [u8]>) -> (Vec<Event<Value>>, Ended) {
        let chunks = stream::iter(chunks).map(|chunk| Ok(Bytes::from_static(chunk)));
        let mut events = Events::new(chunks.boxed());
        let mut seen = Vec::new();
        loop {
            match events.next().await {
                Ok(event) => seen.push(event),
                Err(ended) => return (seen, ended),
            }
        }
    }

    #[tokio::test]
    async fn events_come_in_any_pieces() {
        let text: &[u8] = b"{\"type\":\"ADDED\",\"object\":{\"a\":1}}\n\n{\"type\":\"DELETED\",\"object\":{}}\n{\"type\":\"BOOKMARK\",\"object\":{}}\n{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n{\"type\":\"ERROR\",\"object\":{\"code\":500,\"message\":\"m\"}}\n";
        let expected = vec![
            Event::Applied(json!({ "a": 1 })),
            Event::Deleted(json!({})),
            Event::Bookmark(json!({})),
            Event::Expired,
            Event::Failed("500: m".into()),
        ];
        for size in [1, 2, 7, 1000] {
            let (seen, ended) = events(text.chunks(size).collect()).await;
            assert_eq!((seen, ended), (expected.clone(), Ended::InOrder));
        }
    }

    #[tokio::test]
    async fn text_that_is_no_event_ends_the_watch() {
        for text in [
            "{\"type\":\"ADDED\"",
            "hello\n",
            "{\"type\":\"NEW\",\"object\":{}}\n",
            "{\"type\":\"ADDED\"}\n",
        ] {
            let (seen, ended) = events(vec![text.as_bytes()]).await;
            assert!(
                seen.is_empty() && matches!(ended, Ended::Broken(_)),
                "{text}"
            );
        }
    }
}
