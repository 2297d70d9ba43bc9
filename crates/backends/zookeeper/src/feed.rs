//! [`Feed`]: the nodes of one watched group, and the listeners that get its hints.

use std::sync::Arc;

use incumbent_backend::hints::Hints;
use incumbent_backend::{GroupName, Hint, Key};

use crate::names;

/// One group that is watched, and its listeners.
pub(crate) struct Feed {
    /// The node of the group.
    pub(crate) node: String,
    base: String,
    pub(crate) group: GroupName,
    hints: Arc<Hints>,
}

impl Feed {
    pub(crate) fn new(base: &str, group: &GroupName, hints: &Arc<Hints>) -> Self {
        Self {
            node: names::group_node(base, group),
            base: base.to_owned(),
            group: group.clone(),
            hints: Arc::clone(hints),
        }
    }

    /// The node of a key.
    pub(crate) fn key_node(&self, key: &Key) -> String {
        names::key_node(&self.base, key)
    }

    pub(crate) fn tell(&self, hint: Hint) {
        self.hints.tell(&self.group, hint);
    }
}

/// Makes a hint about a key. ZooKeeper's events do not contain the key's version.
pub(crate) fn about(key: Key) -> Hint {
    Hint {
        key: Some(key),
        version: None,
    }
}
