//! The names of objects, their labels, and the annotations that say exactly which key an object
//! keeps.

use std::collections::BTreeMap;

use incumbent_backend::{GroupName, Key};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest, Sha256};

/// The annotations that say exactly which key an object keeps. Names and labels may be shortened;
/// these never are.
pub(crate) const CLUSTER: &str = "incumbent/cluster";
pub(crate) const GROUP: &str = "incumbent/group";
pub(crate) const ITEM: &str = "incumbent/item";

/// The annotation of a root that says in which pod its holder runs.
pub(crate) const LEADER_POD: &str = "incumbent/pod";

/// The labels by which objects are found. The group's label has the name of its annotation.
const NAME_LABEL: &str = "app.kubernetes.io/name";
const MANAGER_LABEL: &str = "app.kubernetes.io/managed-by";
const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
const COMPONENT_LABEL: &str = "app.kubernetes.io/component";

/// The value of the labels for the program.
const INCUMBENT: &str = "incumbent";

/// Longest id of a cluster, as for every other name.
pub(crate) const LONGEST_CLUSTER: usize = 200;

/// Longest name that is used in full. Kubernetes allows 253; longer ones are hard to read.
const LONGEST_PLAIN: usize = 200;

/// Longest part between two dots, and longest value of a label.
const LONGEST_LABEL: usize = 63;

/// Longest readable rest of each part in a name that is not plain. With the mark and the hash it
/// stays below [`LONGEST_LABEL`].
const LONGEST_SLUG: usize = 40;

/// What precedes the hash in a name that is not plain. No plain name has it: it has two hyphens in
/// a row only before `root` and `floor`.
const MARK: &str = "--x";

/// Bytes of the hash that are kept, two digits each. By chance, two of 2^40 names have the same
/// hash. That is found, because the annotations differ, and is an error.
const HASH_BYTES: usize = 10;

/// The id of a cluster: the path of its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cluster(String);

impl Cluster {
    /// The id, or why no cluster can have it.
    pub(crate) fn new(id: &str) -> Result<Self, &'static str> {
        if id.is_empty() {
            return Err(
                "it names no cluster; write kubernetes://namespace/cluster, or kubernetes:///cluster for the namespace of the context",
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

    /// The name of the object that keeps this key. No two keys have the same name, in one cluster
    /// or in two.
    pub(crate) fn object_name(&self, key: &Key) -> String {
        self.plain(key).unwrap_or_else(|| self.hashed(key))
    }

    /// `CLUSTER.GROUP--root`, `CLUSTER.GROUP--floor`, `CLUSTER.GROUP.WORD.WORD`, if a name may have
    /// all parts as they are.
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

    /// The readable rest of each part, and a hash of them all.
    fn hashed(&self, key: &Key) -> String {
        let parts = [&*self.0, key.group().as_str(), key.item()];
        let slugs: Vec<String> = parts
            .iter()
            .map(|part| slug(part))
            .filter(|slug| !slug.is_empty())
            .collect();
        // No part has a zero byte, so no other three parts give the same text.
        format!("{}{MARK}{}", slugs.join("."), hash(&parts.join("\0")))
    }

    /// The annotations of the object that keeps this key.
    pub(crate) fn annotations(&self, key: &Key) -> BTreeMap<String, String> {
        BTreeMap::from([
            (CLUSTER.to_owned(), self.0.clone()),
            (GROUP.to_owned(), key.group().to_string()),
            (ITEM.to_owned(), key.item().to_owned()),
        ])
    }

    /// Its labels.
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

    /// Selects the objects of this cluster, or of one of its groups. It may select others too; the
    /// annotations tell them apart.
    pub(crate) fn selector(&self, group: Option<&GroupName>) -> String {
        let instance = label_value(&self.0);
        let mut selector = format!("{MANAGER_LABEL}={INCUMBENT},{INSTANCE_LABEL}={instance}");
        if let Some(group) = group {
            selector.push_str(&format!(",{GROUP}={}", label_value(group.as_str())));
        }
        selector
    }

    /// The key that an object keeps; `None` if the object is of another cluster or program, or a
    /// copy under another name.
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

/// Whether a name may have this part as it is: lower case letters, digits and single hyphens
/// inside.
fn is_plain(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !part.is_empty()
        && part.len() <= LONGEST_LABEL
        && part.chars().all(allowed)
        && !part.starts_with('-')
        && !part.ends_with('-')
        && !part.contains("--")
}

/// The readable rest of a text: lower case letters and digits, and one hyphen for anything else.
fn slug(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let mut slug = words.join("-");
    slug.truncate(LONGEST_SLUG);
    slug.trim_end_matches('-').to_owned()
}

/// A text as the value of a label: as it is if that is allowed, otherwise its readable rest and its
/// hash.
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
    // A value must begin with a letter or digit, even if nothing of the text is readable.
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
