//! The objects that keep records: their names, what is in them, and their versions.

pub(crate) mod content;
pub(crate) mod leader_lock;
pub(crate) mod names;
pub(crate) mod owner;
pub(crate) mod resource;
pub(crate) mod version;
