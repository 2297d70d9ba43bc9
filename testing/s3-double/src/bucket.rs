//! What is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use hyper::body::Bytes;

/// All objects and unfinished uploads of all buckets, by `bucket/key`.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    drawn: u64,
}

/// An object.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) content: Bytes,
    pub(crate) modified: SystemTime,
    pub(crate) etag: String,
}

/// An upload that is not completed.
#[derive(Debug)]
struct Upload {
    path: String,
    parts: BTreeMap<u32, Bytes>,
}

/// A piece of a listing.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) objects: Vec<(String, Object)>,
    pub(crate) prefixes: BTreeSet<String>,
    /// What the next piece comes after, if there is one.
    pub(crate) next: Option<String>,
}

impl Contents {
    pub(crate) fn put(&mut self, path: &str, content: Bytes) -> Object {
        let object = Object {
            content,
            modified: now(),
            etag: format!("\"{}\"", self.draw()),
        };
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    pub(crate) fn begin(&mut self, path: &str) -> String {
        let id = self.draw();
        let upload = Upload {
            path: path.to_owned(),
            parts: BTreeMap::new(),
        };
        self.uploads.insert(id.clone(), upload);
        id
    }

    /// Whether there is such an upload.
    pub(crate) fn part(&mut self, id: &str, number: u32, content: Bytes) -> bool {
        let upload = self.uploads.get_mut(id);
        upload
            .map(|upload| upload.parts.insert(number, content))
            .is_some()
    }

    /// The object, if there is such an upload.
    pub(crate) fn complete(&mut self, id: &str) -> Option<Object> {
        let Upload { path, parts } = self.uploads.remove(id)?;
        let whole: Vec<u8> = parts.into_values().flatten().collect();
        Some(self.put(&path, whole.into()))
    }

    /// Whether there was such an upload.
    pub(crate) fn abort(&mut self, id: &str) -> bool {
        self.uploads.remove(id).is_some()
    }

    pub(crate) fn unfinished(&self) -> usize {
        self.uploads.len()
    }

    pub(crate) fn clear(&mut self) {
        self.objects.clear();
        self.uploads.clear();
    }

    /// What begins with a prefix and comes after a key.
    pub(crate) fn list(
        &self,
        bucket: &str,
        prefix: &str,
        delimiter: &str,
        after: &str,
        most: usize,
    ) -> Listing {
        let mut listing = Listing::default();
        let start = format!("{bucket}/{prefix}");
        let strip = bucket.len() + 1;
        let mut last = String::new();
        for (path, object) in self.objects.range(start.clone()..) {
            if !path.starts_with(&start) {
                break;
            }
            let key = &path[strip..];
            let rest = &key[prefix.len()..];
            let common = (!delimiter.is_empty())
                .then(|| rest.split_once(delimiter))
                .flatten()
                .map(|(name, _)| format!("{prefix}{name}{delimiter}"));
            // What is after a common prefix is after all that begins with it.
            let is_past = match &common {
                Some(common) => common.as_str() > after && !after.starts_with(common.as_str()),
                None => key > after,
            };
            if !is_past
                || common
                    .as_ref()
                    .is_some_and(|common| listing.prefixes.contains(common))
            {
                continue;
            }
            if listing.objects.len() + listing.prefixes.len() == most {
                listing.next = Some(last);
                break;
            }
            match common {
                Some(common) => {
                    last.clone_from(&common);
                    listing.prefixes.insert(common);
                }
                None => {
                    key.clone_into(&mut last);
                    listing.objects.push((key.to_owned(), object.clone()));
                }
            }
        }
        listing
    }

    fn draw(&mut self) -> String {
        self.drawn += 1;
        format!("{:032x}", self.drawn)
    }
}

#[expect(clippy::disallowed_methods, reason = "it is the clock of the store")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(keys: &[&str]) -> Contents {
        let mut contents = Contents::default();
        for key in keys {
            contents.put(&format!("b/{key}"), Bytes::new());
        }
        contents.put("c/x", Bytes::new());
        contents
    }

    #[test]
    fn a_listing_comes_in_pieces_and_misses_nothing() {
        let contents = contents(&["a/1", "a/2", "ab", "b", "c/1", "c/2/3", "d"]);
        for (prefix, delimiter, expected) in [
            ("", "", vec!["a/1", "a/2", "ab", "b", "c/1", "c/2/3", "d"]),
            ("", "/", vec!["a/", "ab", "b", "c/", "d"]),
            ("a/", "/", vec!["a/1", "a/2"]),
            ("c/", "/", vec!["c/1", "c/2/"]),
            ("x", "", vec![]),
        ] {
            for most in 1..8 {
                let mut found = Vec::new();
                let mut after = String::new();
                loop {
                    let piece = contents.list("b", prefix, delimiter, &after, most);
                    assert!(piece.objects.len() + piece.prefixes.len() <= most);
                    found.extend(piece.objects.into_iter().map(|(key, _)| key));
                    found.extend(piece.prefixes);
                    match piece.next {
                        Some(next) => after = next,
                        None => break,
                    }
                }
                found.sort();
                assert_eq!(found, expected, "{prefix} {delimiter} {most}");
            }
        }
    }
}
