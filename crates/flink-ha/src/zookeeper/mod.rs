//! A cluster that keeps its data in ZooKeeper, or in what speaks its protocol.

mod connection;
mod follow;
mod layout;
mod place;
mod read;

pub(crate) use follow::follow;
pub(crate) use place::ZooKeeperPlace;
pub(crate) use read::inspect;

#[cfg(test)]
pub(crate) use layout::{Node, Tree};
