//! Names of objects, their labels, and the annotations that say exactly which key an object keeps.

use std::collections::BTreeMap;

use incumbent_backend::{GroupName, Key};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest, Sha256};

/// The annotations that say which key an object keeps, exactly. Names and labels may be shortened;
/// these never are.
pub(crate) const CLUSTER: &str = "incumbent/cluster";
pub(crate) const GROUP: &str = "incumbent/group";
pub(crate) const ITEM: &str = "incumbent/item";

/// Labels, by which objects are found. The group's has the name of its annotation.
const NAME_LABEL: &str = "app.kubernetes.io/name";
const MANAGER_LABEL: &str = "app.kubernetes.io/managed-by";
const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
const COMPONENT_LABEL: &str = "app.kubernetes.io/component";

/// What the labels say about the program.
const INCUMBENT: &str = "incumbent";

/// Longest cluster id, as of every other name.
pub(crate) const LONGEST_CLUSTER: usize = 200;

/// Longest name that is readable in full. Kubernetes ends at 253; what is longer is no pleasure to
/// read either.
const LONGEST_PLAIN: usize = 200;

/// Longest part between two dots, and longest value of a label.
const LONGEST_LABEL: usize = 63;

/// What of each part remains readable in a name that is not plain: with the mark it stays below
/// [`LONGEST_LABEL`].
const LONGEST_SLUG: usize = 40;

/// What a name that is not plain ends with, before the hash. No plain name has it: none has two
/// hyphens in a row, but for those before `root` and `floor`.
const MARK: &str = "--x";

/// Bytes of the hash that are kept, two digits each. A meeting of two names is found (the
/// annotations differ) and is an error; by chance it takes 2^40 names.
const HASH_BYTES: usize = 10;

/// The id of a cluster: what its address names, after the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cluster(String);

impl Cluster {
    /// The id, unless no cluster can have it; then why.
    pub(crate) fn new(id: &str) -> Result<Self, &'static str> {
        if id.is_empty() {
            return Err(
                "it names no cluster; write kubernetes://namespace/cluster, or kubernetes:///cluster for the usual namespace",
            );
        }
        if id.len() > LONGEST_CLUSTER {
            return Err("the name of its cluster is longer than 200 bytes");
        }
        if id.chars().any(char::is_control) {
            return Err("the name of its cluster has control characters");
        }
        Ok(Self(id.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the object that keeps this key. Two keys, of one cluster or of two, never have
    /// the same.
    pub(crate) fn object_name(&self, key: &Key) -> String {
        self.plain(key).unwrap_or_else(|| self.hashed(key))
    }

    /// `CLUSTER.GROUP--root`, `CLUSTER.GROUP--floor`, `CLUSTER.GROUP.WORD.WORD`, if all parts may
    /// stand there as they are.
    fn plain(&self, key: &Key) -> Option<String> {
        let mut parts = vec![&*self.0, key.group().as_str()];
        let end = match key.item().strip_prefix('@') {
            Some(special) => format!("--{special}"),
            None => {
                parts.extend(key.item().split('/'));
                String::new()
            }
        };
        let last = parts.last().map_or(0, |part| part.len()) + end.len();
        let name = format!("{}{end}", parts.join("."));
        let fits = last <= LONGEST_LABEL && name.len() <= LONGEST_PLAIN;
        (fits && parts.iter().all(|part| is_plain(part))).then_some(name)
    }

    /// What can be read of the parts, and a hash of them all.
    fn hashed(&self, key: &Key) -> String {
        let parts = [&*self.0, key.group().as_str(), key.item()];
        let slugs: Vec<String> = parts
            .iter()
            .map(|part| slug(part))
            .filter(|slug| !slug.is_empty())
            .collect();
        // No part has a zero byte, so no other three parts hash alike.
        format!("{}{MARK}{}", slugs.join("."), hash(&parts.join("\0")))
    }

    /// What an object says about its key.
    pub(crate) fn annotations(&self, key: &Key) -> BTreeMap<String, String> {
        BTreeMap::from([
            (CLUSTER.to_owned(), self.0.clone()),
            (GROUP.to_owned(), key.group().to_string()),
            (ITEM.to_owned(), key.item().to_owned()),
        ])
    }

    /// By what an object is found.
    pub(crate) fn labels(&self, key: &Key) -> BTreeMap<String, String> {
        let component = match key.item() {
            "@root" => "root",
            "@floor" => "floor",
            _ => "record",
        };
        BTreeMap::from([
            (NAME_LABEL.to_owned(), INCUMBENT.to_owned()),
            (MANAGER_LABEL.to_owned(), INCUMBENT.to_owned()),
            (INSTANCE_LABEL.to_owned(), label_value(&self.0)),
            (COMPONENT_LABEL.to_owned(), component.to_owned()),
            (GROUP.to_owned(), label_value(key.group().as_str())),
        ])
    }

    /// Selects the objects of this cluster, or of one of its groups. It may select others, too:
    /// annotations tell.
    pub(crate) fn selector(&self, group: Option<&GroupName>) -> String {
        let instance = label_value(&self.0);
        let mut selector = format!("{MANAGER_LABEL}={INCUMBENT},{INSTANCE_LABEL}={instance}");
        if let Some(group) = group {
            selector.push_str(&format!(",{GROUP}={}", label_value(group.as_str())));
        }
        selector
    }

    /// The key that an object keeps; `None` if it is not ours: another cluster's, somebody else's,
    /// or a copy under another name.
    pub(crate) fn key_of(&self, object: &ObjectMeta) -> Option<Key> {
        let annotations = object.annotations.as_ref()?;
        if annotations.get(CLUSTER)? != &self.0 {
            return None;
        }
        let group = annotations.get(GROUP)?.parse().ok()?;
        let key = Key::of_item(group, annotations.get(ITEM)?).ok()?;
        (object.name.as_ref()? == &self.object_name(&key)).then_some(key)
    }
}

/// Whether this may stand in a name as it is: lower case letters, digits and single hyphens inside.
fn is_plain(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !part.is_empty()
        && part.len() <= LONGEST_LABEL
        && part.chars().all(allowed)
        && !part.starts_with('-')
        && !part.ends_with('-')
        && !part.contains("--")
}

/// What can be read of a text in a name: lower case letters and digits, and single hyphens for all
/// else.
fn slug(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let mut slug = words.join("-");
    slug.truncate(LONGEST_SLUG);
    slug.trim_end_matches('-').to_owned()
}

/// A text as the value of a label: as it is if it can be one, otherwise what can be read of it, and
/// its hash.
pub(crate) fn label_value(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = !text.is_empty()
        && text.len() <= LONGEST_LABEL
        && text.chars().all(allowed)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && !text.contains(MARK);
    if good {
        return text.to_owned();
    }
    // A value must begin with a letter or digit, also if nothing can be read of the text.
    let slug = match slug(text) {
        slug if slug.is_empty() => "name".to_owned(),
        slug => slug,
    };
    format!("{slug}{MARK}{}", hash(text))
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let digits = digest.iter().take(HASH_BYTES);
    digits.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
