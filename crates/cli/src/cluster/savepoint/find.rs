//! A savepoint by its id, or by the beginning of it.

use hyper::StatusCode;
use incumbent_cluster_core::SavepointId;
use incumbent_cluster_core::view::SavepointView;
use serde::Deserialize;

use crate::cluster::client::{Ask, Client, ClientError};
use crate::diagnostics::say;
use crate::exit::{Code, Failure};

/// The shortest beginning of an id that is looked for: less is more likely a mistake.
const SHORTEST_PREFIX: usize = 4;

/// Savepoints on a page: as many as nodes give.
const PAGE: usize = 1000;

#[derive(Deserialize)]
struct Page {
    savepoints: Vec<SavepointView>,
    next: Option<String>,
    is_complete: bool,
    #[serde(default)]
    unreadable: Vec<Unreadable>,
    #[serde(default)]
    without_files: Option<String>,
}

#[derive(Deserialize)]
struct Unreadable {
    id: String,
    why: String,
}

/// All that there are, as far as that is known.
pub(super) struct Found {
    pub(super) savepoints: Vec<SavepointView>,
    /// What to tell people of those that are not among them.
    missing: Vec<String>,
}

impl Found {
    /// Says on standard error which are missing.
    pub(super) fn tell_what_is_missing(&self) {
        self.missing.iter().for_each(say);
    }
}

/// Every savepoint, page by page.
pub(super) async fn all(client: &Client) -> Result<Found, Failure> {
    let mut found = Found {
        savepoints: Vec::new(),
        missing: Vec::new(),
    };
    let mut path = format!("/v1/savepoints?limit={PAGE}");
    loop {
        let page: Page = client.json(&Ask::get(path)).await?;
        found.savepoints.extend(page.savepoints);
        let of = |savepoint: Unreadable| {
            format!(
                "savepoint {} cannot be read: {}",
                savepoint.id, savepoint.why
            )
        };
        found.missing.extend(page.unreadable.into_iter().map(of));
        let Some(after) = page.next else {
            let files = page.without_files;
            found
                .missing
                .extend(files.map(|why| format!("those of removed jobs are missing: {why}")));
            if !page.is_complete {
                let text = "a new leader is still opening the records of jobs: some may be missing";
                found.missing.push(text.into());
            }
            return Ok(found);
        };
        path = format!("/v1/savepoints?limit={PAGE}&after={after}");
    }
}

/// The savepoint that was named.
///
/// # Errors
///
/// There is none, or several begin so.
pub(super) async fn find(client: &Client, text: &str) -> Result<SavepointView, Failure> {
    if let Ok(id) = text.parse::<SavepointId>() {
        let ask = Ask::get(format!("/v1/savepoints/{id}"));
        return client.json(&ask).await.map_err(|error| match error {
            ClientError::Problem(problem) if problem.status == StatusCode::NOT_FOUND => none(text),
            error => error.into(),
        });
    }
    if !is_prefix(text) {
        let why = format!(
            "{text:?} is not the id of a savepoint: 32 hexadecimal digits in lower case, or at least {SHORTEST_PREFIX} of \
             them, from the first one"
        );
        return Err(Failure::new(why).code(Code::Usage));
    }
    by_prefix(client, text).await?.ok_or_else(|| none(text))
}

/// Whether this can be the beginning of an id.
pub(crate) fn is_prefix(text: &str) -> bool {
    let is_lower_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (SHORTEST_PREFIX..32).contains(&text.len()) && text.bytes().all(is_lower_hex)
}

/// The savepoint whose id begins so.
///
/// # Errors
///
/// Several do.
pub(crate) async fn by_prefix(
    client: &Client,
    text: &str,
) -> Result<Option<SavepointView>, Failure> {
    let mut found = all(client).await?.savepoints;
    found.retain(|savepoint| savepoint.id.starts_with(text));
    match &found[..] {
        [] | [_] => Ok(found.pop()),
        many => {
            let ids: Vec<_> = many.iter().map(|savepoint| &savepoint.id[..]).collect();
            let why = format!(
                "{text} is the beginning of {}; write more of it",
                ids.join(", ")
            );
            Err(Failure::new(why).code(Code::Usage))
        }
    }
}

fn none(text: &str) -> Failure {
    let why = format!(
        "there is no savepoint {text}; `incumbent savepoint ls` lists those that there are"
    );
    Failure::new(why).code(Code::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_digits_are_the_beginning_of_an_id() {
        for good in ["0123", "abcdef", &"a".repeat(31)] {
            assert!(is_prefix(good), "{good}");
        }
        for bad in ["", "012", "count", "ABCD", &"a".repeat(32)] {
            assert!(!is_prefix(bad), "{bad}");
        }
    }
}
