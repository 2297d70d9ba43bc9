//! Real servers start, stop and restart.

mod etcd;
mod zookeeper;
