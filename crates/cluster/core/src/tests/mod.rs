//! Scenarios: a leader, TaskManagers and a store in one process, where time passes when it is told
//! to.

mod adoption;
mod alone;
mod checkpoints;
mod contract;
mod end_to_end;
mod giving_way;
mod intents;
mod isolation;
mod names;
mod orders;
mod origins;
mod people;
mod random;
mod restarts;
mod slots;
mod stories;
mod takeovers;
mod task_manager;
mod world;

use std::time::Duration;

use self::world::World;
pub(crate) use self::world::checkpointing;

const SECOND: Duration = Duration::from_secs(1);
