//! The objects, the counter of revisions and the history of changes. Pure: no clock and no socket.

pub(crate) mod object;
pub(crate) mod resource;
pub(crate) mod selector;
pub(crate) mod validate;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::request::status::Refusal;
use crate::store::resource::Resource;

/// How many changes are kept for watches. The real server drops history too. A test that writes
/// more than this between two events of a watch gets a 410.
const HISTORY: usize = 20_000;

/// An object's place: the resource's qualified name, the namespace (empty for none) and the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) resource: &'static str,
    pub(crate) group: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) key: Key,
    pub(crate) before: Option<Arc<Value>>,
    pub(crate) after: Option<Arc<Value>>,
}

/// Everything that is stored.
#[derive(Debug)]
pub(crate) struct Store {
    revision: u64,
    /// Revisions before this one were dropped.
    compacted: u64,
    /// The revision of the last change that was dropped.
    forgotten: u64,
    objects: BTreeMap<Key, Arc<Value>>,
    history: VecDeque<Change>,
}

impl Key {
    pub(crate) fn new(resource: &'static Resource, namespace: &str, name: &str) -> Key {
        Key {
            resource: resource.plural,
            group: resource.group,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Whether the list has the object; an empty namespace is all of them.
    pub(crate) fn within(&self, resource: &Resource, namespace: &str) -> bool {
        self.resource == resource.plural
            && self.group == resource.group
            && (namespace.is_empty() || self.namespace == namespace)
    }
}

impl Store {
    pub(crate) fn new() -> Store {
        Store {
            revision: 1,
            compacted: 0,
            forgotten: 0,
            objects: BTreeMap::new(),
            history: VecDeque::new(),
        }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.objects.get(key).cloned()
    }

    /// The present objects, in the order of the real server: by namespace, then by name.
    pub(crate) fn list<'a>(
        &'a self,
        resource: &'a Resource,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> + 'a {
        self.objects
            .iter()
            .filter(move |(key, _)| key.within(resource, namespace))
    }

    /// The objects at `revision`.
    pub(crate) fn list_at(
        &self,
        resource: &Resource,
        namespace: &str,
        revision: u64,
    ) -> Result<BTreeMap<Key, Arc<Value>>, Refusal> {
        if revision < self.compacted {
            return Err(Refusal::expired(
                "The resourceVersion for the provided list is too old.",
            ));
        }
        let mut then: BTreeMap<Key, Arc<Value>> = self
            .list(resource, namespace)
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect();
        let undone = self
            .history
            .iter()
            .rev()
            .take_while(|change| change.revision > revision);
        for change in undone.filter(|change| change.key.within(resource, namespace)) {
            match &change.before {
                Some(before) => then.insert(change.key.clone(), before.clone()),
                None => then.remove(&change.key),
            };
        }
        Ok(then)
    }

    /// Whether a watch may start after `revision`.
    pub(crate) fn may_watch_after(&self, revision: u64) -> Result<(), Refusal> {
        if revision < self.compacted {
            Err(self.too_old(revision))
        } else {
            Ok(())
        }
    }

    /// The changes after `revision`.
    pub(crate) fn changes_after(
        &self,
        revision: u64,
    ) -> Result<impl Iterator<Item = &Change>, Refusal> {
        if revision < self.forgotten {
            return Err(self.too_old(revision));
        }
        let first = self
            .history
            .partition_point(|change| change.revision <= revision);
        Ok(self.history.range(first..))
    }

    /// Writes (`Some`) or removes (`None`) the object as the next revision, and returns the object
    /// at that revision.
    pub(crate) fn commit(&mut self, key: Key, after: Option<Value>) -> Option<Arc<Value>> {
        self.revision += 1;
        let revision = self.revision;
        let after = after.map(|mut object| {
            set_revision(&mut object, revision);
            Arc::new(object)
        });
        let before = match &after {
            Some(object) => self.objects.insert(key.clone(), object.clone()),
            None => self.objects.remove(&key),
        };
        if self.history.len() == HISTORY
            && let Some(oldest) = self.history.pop_front()
        {
            self.forgotten = oldest.revision;
            self.compacted = self.compacted.max(oldest.revision);
        }
        self.history.push_back(Change {
            revision,
            key,
            before,
            after: after.clone(),
        });
        after
    }

    /// Drops all history. The revision advances, as if another object had been written, so that no
    /// client has the newest.
    pub(crate) fn compact(&mut self) {
        self.forgotten = self
            .history
            .back()
            .map_or(self.forgotten, |change| change.revision);
        self.history.clear();
        self.revision += 1;
        self.compacted = self.revision;
    }

    fn too_old(&self, revision: u64) -> Refusal {
        Refusal::expired(format!(
            "too old resource version: {revision} ({})",
            self.compacted.max(self.forgotten)
        ))
    }
}

/// Writes `metadata.resourceVersion`.
pub(crate) fn set_revision(object: &mut Value, revision: u64) {
    object["metadata"]["resourceVersion"] = json!(revision.to_string());
}
