//! What a task knows: how far each of its key groups is, and what it has counted there.

use std::collections::BTreeMap;

use incumbent_task::Staged;
use serde::{Deserialize, Serialize};

/// Keys are shared out in so many groups; so many tasks can have something to do.
pub(crate) const GROUPS: u32 = 128;

/// The state of one rank, as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) groups: BTreeMap<u32, Group>,
    /// Output that will appear when the checkpoint is committed.
    pub(crate) staged: Vec<Staged>,
}

/// Keys that are always together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Up to which byte of the input its keys are counted. Groups that another rank had may be
    /// further than others.
    pub(crate) offset: u64,
    /// How often each key was found.
    pub(crate) counts: BTreeMap<String, u64>,
    /// The input has ended, and the totals are staged.
    pub(crate) is_done: bool,
}

impl State {
    /// Of what all ranks had, what this rank has now.
    pub(crate) fn share(restored: Vec<State>, rank: u32, tasks: u32) -> Self {
        let mut groups: BTreeMap<_, _> = (0..GROUPS)
            .filter(|group| group % tasks == rank)
            .map(|group| (group, Group::default()))
            .collect();
        for (number, group) in restored.into_iter().flat_map(|state| state.groups) {
            groups.entry(number).and_modify(|ours| *ours = group);
        }
        Self {
            groups,
            staged: Vec::new(),
        }
    }

    /// From where the input has to be read; `None` if there is nothing more to read.
    pub(crate) fn start(&self) -> Option<u64> {
        let open = self.groups.values().filter(|group| !group.is_done);
        open.map(|group| group.offset).min()
    }

    /// Counts the record at these bytes of the input, if it is ours and not counted yet.
    pub(crate) fn count(&mut self, key: &str, from: u64, to: u64) -> bool {
        let Some(group) = self.groups.get_mut(&group_of(key)) else {
            return false;
        };
        if from < group.offset {
            return false;
        }
        *group.counts.entry(key.to_owned()).or_default() += 1;
        group.offset = to;
        true
    }

    /// All that comes before this byte is counted.
    pub(crate) fn read_up_to(&mut self, offset: u64) {
        for group in self.groups.values_mut() {
            group.offset = group.offset.max(offset);
        }
    }
}

/// The group of a key: FNV-1a, as others can compute it too.
fn group_of(key: &str) -> u32 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % u64::from(GROUPS)) as u32
}
