//! A cluster that keeps its data in ConfigMaps.

mod cluster;
mod clusters;
mod contents;
mod fill;
mod follow;
mod layout;
mod list;
mod read;
mod renewal;
mod rights;
mod sweep;
mod target;
mod write;

pub(crate) use cluster::Cluster;
pub(crate) use clusters::clusters;
pub(crate) use contents::{contents, data, place};
pub(crate) use fill::{close, fill, open};
pub(crate) use follow::follow;
pub(crate) use read::{maps, read};
pub(crate) use renewal::{Watched, watch};
pub(crate) use rights::missing as missing_rights;
pub(crate) use sweep::sweep;
pub(crate) use target::KubernetesTarget;
