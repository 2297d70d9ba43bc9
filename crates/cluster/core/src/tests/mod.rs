//! Scenarios: a leader, TaskManagers and a store in one process, without time passing by itself.

mod adoption;
mod end_to_end;
mod world;

use self::world::World;
