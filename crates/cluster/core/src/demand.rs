//! [`Demand`]: which slots the jobs lack, as the leader sees it at one moment; and [`Supply`]: what
//! the maker of TaskManagers does about it.

use serde::{Deserialize, Serialize};

use crate::view::PodView;

/// Which slots the jobs lack, and what is in those that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Whether all records of jobs are open. Until then nobody knows what is needed.
    pub is_complete: bool,
    /// The gangs that wait for slots, the oldest first.
    pub gangs: Vec<GangNeed>,
    /// The TaskManagers that the leader knows.
    pub task_managers: Vec<TaskManagerUse>,
}

/// What one gang lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GangNeed {
    /// Slots that it is to have.
    pub wanted: u32,
    /// Of these, the slots that it does not hold yet.
    pub lacks: u32,
}

/// A TaskManager, and whether anything is in its slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskManagerUse {
    /// Its name.
    pub name: String,
    /// Its slots.
    pub slots: u32,
    /// Those that a gang could have now.
    pub free: u32,
    /// Whether no task is in it, and no job holds a slot of it.
    pub is_idle: bool,
    /// How it is.
    pub state: UseState,
}

/// How a TaskManager is, for those who make more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseState {
    /// It takes tasks.
    Live,
    /// It is known, and cannot take tasks yet: this leader has not heard of it, or has not reached
    /// it.
    Coming,
    /// It says that it leaves.
    Draining,
    /// It is silent, or cannot be reached: its slots are of no use, though its tasks may run.
    Lost,
    /// It is proven dead, and so are its tasks.
    Dead,
}

/// What is done about the slots that are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supply {
    /// Most slots that can be made. A gang that wants more than these and the others is not made
    /// any for.
    pub most_slots: u32,
    /// Slots that are on their way.
    pub coming: u32,
    /// Why those that are missing do not come, in words: one line each.
    pub why: Vec<String>,
    /// The pods.
    pub pods: Vec<PodView>,
}

/// What all gangs together lack, as far as it can be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Slots that waiting gangs lack.
    pub needed: u32,
    /// Of these, the slots that no TaskManager has free.
    pub missing: u32,
}

impl Demand {
    /// What is needed, if there can be `most_made` slots beside those of the TaskManagers that
    /// nobody has made here.
    ///
    /// The oldest gangs count first. One that cannot have all its slots while the older ones have
    /// theirs does not count: slots that come for a part of a gang are of no use (R2).
    pub fn need(&self, most_made: u32, is_made: impl Fn(&str) -> bool) -> Need {
        let live = || {
            let all = self.task_managers.iter();
            all.filter(|node| node.state == UseState::Live)
        };
        let others: u32 = live()
            .filter(|node| !is_made(&node.name))
            .map(|node| node.slots)
            .sum();
        let used: u32 = live().map(|node| node.slots - node.free).sum();
        let free: u32 = live().map(|node| node.free).sum();
        let room = most_made.saturating_add(others).saturating_sub(used);
        let mut needed = 0_u32;
        for gang in &self.gangs {
            let with_it = needed.saturating_add(gang.lacks);
            if with_it <= room {
                needed = with_it;
            }
        }
        Need {
            needed,
            missing: needed.saturating_sub(free),
        }
    }

    /// The TaskManager of this name. The names of those that are made differ.
    pub fn task_manager(&self, name: &str) -> Option<&TaskManagerUse> {
        let named = || self.task_managers.iter().filter(|node| node.name == name);
        // One that is dead may have had the same name before.
        (named().find(|node| node.state != UseState::Dead)).or_else(|| named().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, slots: u32, free: u32, state: UseState) -> TaskManagerUse {
        TaskManagerUse {
            name: name.to_owned(),
            slots,
            free,
            is_idle: slots == free,
            state,
        }
    }

    fn gang(wanted: u32, lacks: u32) -> GangNeed {
        GangNeed { wanted, lacks }
    }

    #[test]
    fn what_is_free_is_not_missing() {
        let demand = Demand {
            is_complete: true,
            gangs: vec![gang(4, 4), gang(2, 1)],
            task_managers: vec![
                node("a", 4, 3, UseState::Live),
                node("b", 4, 4, UseState::Lost),
            ],
        };
        let need = demand.need(100, |_| false);
        assert_eq!((need.needed, need.missing), (5, 2));
    }

    #[test]
    fn a_gang_that_can_never_have_its_slots_is_not_counted_and_younger_ones_are() {
        let demand = Demand {
            is_complete: true,
            gangs: vec![gang(9, 9), gang(3, 3)],
            task_managers: vec![
                node("pod", 2, 0, UseState::Live),
                node("own", 2, 0, UseState::Live),
            ],
        };
        let need = demand.need(8, |name| name == "pod");
        assert_eq!(need.needed, 3, "8 can be made, 2 of them are used");
    }
}
