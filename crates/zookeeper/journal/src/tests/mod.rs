//! What holds, checked: at every byte, at every call, and with real processes and disks.

mod crashes;
mod flips;
mod life;
mod sim_disk;
