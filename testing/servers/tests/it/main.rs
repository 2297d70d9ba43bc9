//! Real servers come, go and come back.

mod etcd;
mod zookeeper;
