//! Reads one object, and lists. Pure.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::act::write::{Done, key};
use crate::request::ask::Ask;
use crate::request::represent::Form;
use crate::request::status::{Cause, Refusal};
use crate::store::{Key, Store};

/// Where a list continues: the contents of its token, as the real server writes them.
struct Token {
    /// The revision of the list; -1 is the newest.
    revision: i64,
    /// Namespace and name to start from, joined by `/`.
    start: String,
}

/// Reads one object.
pub(crate) fn get(store: &Store, ask: &Ask) -> Done {
    let form = Form::accepted(&ask.headers.accept)?;
    let object = store
        .get(&key(ask))
        .ok_or_else(|| Refusal::not_found(ask.resource, &ask.name))?;
    Ok((200, form.one(&object)?))
}

/// Reads a list, or a chunk of one.
pub(crate) fn list(store: &Store, ask: &Ask) -> Done {
    let form = Form::accepted(&ask.headers.accept)?;
    check_list_options(ask)?;
    let selector = ask.selector()?;
    let limit = number(ask, "limit")?.unwrap_or(0);
    let (version, exact) = (
        wanted_version(ask)?,
        ask.query.get("resourceVersionMatch") == "Exact",
    );
    let token = Token::read(ask.query.get("continue"))?;
    let mut start = Bound::Unbounded;
    let revision = match (&token, version) {
        (Some(token), _) => {
            let (namespace, name) = token
                .start
                .split_once('/')
                .unwrap_or((&ask.namespace, &token.start));
            // A zero byte after the last name makes the next possible name.
            start = Bound::Included(Key::new(ask.resource, namespace, name));
            u64::try_from(token.revision).unwrap_or_else(|_| store.revision())
        }
        (None, Some(version))
            if version > 0
                && (exact || limit > 0 && ask.query.get("resourceVersionMatch").is_empty()) =>
        {
            version
        }
        _ => store.revision(),
    };
    let all = store
        .list_at(ask.resource, &ask.namespace, revision)
        .map_err(|refusal| match &token {
            Some(token) => token.expired(),
            None => refusal,
        })?;
    // The real server answers "any version" from its cache, which has no chunks.
    let limit = if version == Some(0) && token.is_none() {
        0
    } else {
        limit
    };
    let (chunk, last, left) = chunk(&all, start, usize::try_from(limit).unwrap_or(0), |object| {
        selector.matches(object)
    });
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let Some(last) = last.filter(|_| left > 0) {
        let start = match ask.namespace.is_empty() && ask.resource.namespaced {
            true => format!("{}/{}\0", last.namespace, last.name),
            false => format!("{}\0", last.name),
        };
        let revision = i64::try_from(revision).unwrap_or(i64::MAX);
        metadata["continue"] = json!(Token { revision, start }.write());
        if selector.is_empty() {
            metadata["remainingItemCount"] = json!(left);
        }
    }
    Ok((200, form.list(ask.resource, &metadata, &chunk)?))
}

/// The revision that must exist before a read is answered. 0 is any.
pub(crate) fn wanted_version(ask: &Ask) -> Result<Option<u64>, Refusal> {
    let version = ask.query.get("resourceVersion");
    if version.is_empty() {
        return Ok(None);
    }
    version.parse().map(Some).map_err(|_| {
        let why = format!(
            "Invalid value: {version:?}: strconv.ParseUint: parsing {version:?}: invalid syntax"
        );
        match ask.verb {
            // As the real server does.
            "watch" => Refusal::new(500, "", format!("resourceVersion: {why}")),
            _ => Refusal::bad_request(format!("invalid resource version: resourceVersion: {why}")),
        }
    })
}

/// The real server's rules for the parameters of lists and watches.
pub(crate) fn check_list_options(ask: &Ask) -> Result<(), Refusal> {
    let (rule, watch) = (ask.query.get("resourceVersionMatch"), ask.verb == "watch");
    let initial = ask.query.has("sendInitialEvents");
    let mut causes = Vec::new();
    let mut forbid = |field: &str, why: &str| causes.push(Cause::forbidden(field, why));
    if !rule.is_empty() && !ask.query.get("continue").is_empty() {
        forbid(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden when continue is provided",
        );
    }
    if watch {
        if initial && rule != "NotOlderThan" {
            forbid(
                "resourceVersionMatch",
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            );
        }
        if !rule.is_empty() && !initial {
            forbid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            );
        }
    } else {
        if !rule.is_empty() && ask.query.get("resourceVersion").is_empty() {
            forbid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            );
        }
        if rule == "Exact" && ask.query.get("resourceVersion") == "0" {
            forbid(
                "resourceVersionMatch",
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            );
        }
        if initial {
            forbid(
                "sendInitialEvents",
                "sendInitialEvents is forbidden for list",
            );
        }
        if !matches!(rule, "" | "Exact" | "NotOlderThan") {
            forbid(
                "resourceVersionMatch",
                "supported values: \"Exact\", \"NotOlderThan\", \"\"",
            );
        }
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid("meta.k8s.io", "ListOptions", "", &causes))
    }
}

/// A parameter that is a number.
pub(crate) fn number(ask: &Ask, name: &str) -> Result<Option<u64>, Refusal> {
    match ask.query.get(name) {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| Refusal::bad_request(format!("{name}: {text:?} is not a number"))),
    }
}

/// The chosen objects from `start` on, the last of them, and how many more objects there are.
fn chunk(
    all: &BTreeMap<Key, Arc<Value>>,
    start: Bound<Key>,
    limit: usize,
    chosen: impl Fn(&Value) -> bool,
) -> (Vec<&Value>, Option<&Key>, usize) {
    let mut rest = all
        .range((start, Bound::Unbounded))
        .filter(|(_, object)| chosen(object));
    let (mut chunk, mut last) = (Vec::new(), None);
    while limit == 0 || chunk.len() < limit {
        let Some((key, object)) = rest.next() else {
            return (chunk, last, 0);
        };
        chunk.push(&**object);
        last = Some(key);
    }
    (chunk, last, rest.count())
}

impl Token {
    fn read(text: &str) -> Result<Option<Token>, Refusal> {
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = || Refusal::bad_request("invalid continue token: continue key is not valid");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let token: Value = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        match (
            token["v"].as_str(),
            token["rv"].as_i64(),
            token["start"].as_str(),
        ) {
            (Some("meta.k8s.io/v1"), Some(revision), Some(start))
                if revision != 0 && !start.is_empty() =>
            {
                Ok(Some(Token {
                    revision,
                    start: start.to_owned(),
                }))
            }
            _ => Err(wrong()),
        }
    }

    fn write(&self) -> String {
        let token = json!({"v": "meta.k8s.io/v1", "rv": self.revision, "start": self.start});
        URL_SAFE_NO_PAD.encode(token.to_string())
    }

    /// The list's revision was dropped. The client may continue with the newest.
    fn expired(&self) -> Refusal {
        let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list \
                       without the continue parameter, or use the continue token in this response to retrieve the remainder of \
                       the results. Continuing with the provided token results in an inconsistent list - objects that were \
                       created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
        let mut refusal = Refusal::expired(message);
        refusal.go_on = Some(
            Token {
                revision: -1,
                start: self.start.clone(),
            }
            .write(),
        );
        refusal
    }
}
