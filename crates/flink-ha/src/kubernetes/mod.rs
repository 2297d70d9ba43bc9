//! A cluster that keeps its data in ConfigMaps.

mod connect;
mod follow;
mod layout;
mod place;
mod read;

pub(crate) use connect::Cluster;
pub(crate) use follow::follow;
pub(crate) use place::KubernetesPlace;
pub(crate) use read::inspect;
