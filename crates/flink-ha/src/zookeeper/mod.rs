//! A cluster that keeps its data in ZooKeeper, or in a server that speaks its protocol.

mod clusters;
mod connection;
mod contents;
mod fill;
mod follow;
mod layout;
mod read;
mod session;
mod sweep;
mod target;

pub(crate) use clusters::clusters;
pub(crate) use contents::{check, contents, path};
pub(crate) use fill::{close, fill, open};
pub(crate) use follow::follow;
pub(crate) use read::{nodes, read};
pub(crate) use sweep::sweep;
pub(crate) use target::ZooKeeperTarget;

#[cfg(test)]
pub(crate) use layout::Node;
pub(crate) use layout::Tree;
