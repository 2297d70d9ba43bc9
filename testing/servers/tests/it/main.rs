//! Real servers start, stop and restart.

mod etcd;
mod postgres;
mod zookeeper;
