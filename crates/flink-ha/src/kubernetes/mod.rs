//! A cluster that keeps its data in ConfigMaps.

mod cluster;
mod clusters;
mod follow;
mod layout;
mod list;
mod read;
mod renewal;
mod target;

pub(crate) use cluster::Cluster;
pub(crate) use clusters::clusters;
pub(crate) use follow::follow;
pub(crate) use read::read;
pub(crate) use renewal::{Watched, watch};
pub(crate) use target::KubernetesTarget;
