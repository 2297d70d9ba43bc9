//! The guarantees, checked at every byte and at every call.

mod crashes;
mod flips;
mod life;
mod sim_disk;
