//! A cluster that keeps its data in ZooKeeper, or in a server that speaks its protocol.

mod clusters;
mod connection;
mod follow;
mod layout;
mod read;
mod session;
mod target;

pub(crate) use clusters::clusters;
pub(crate) use follow::follow;
pub(crate) use read::read;
pub(crate) use target::ZooKeeperTarget;

#[cfg(test)]
pub(crate) use layout::{Node, Tree};
