//! Clusters in real stores: read, followed, and left as they are.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod kubernetes;
mod mutations;
mod zookeeper;

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use incumbent_flink_ha::{Component, FlinkAddress, Leader, follow};
use tokio::time::timeout;

/// In which all that is waited for must come.
const IN_TIME: Duration = Duration::from_secs(60);

const ONE: &str = "8b5f5a4e-1c55-4f0c-9d2e-000000000001";
const TWO: &str = "8b5f5a4e-1c55-4f0c-9d2e-000000000002";

type Leaders = BoxStream<'static, Option<Leader>>;

fn leaders(address: &FlinkAddress, component: &Component) -> Leaders {
    follow(address, component).unwrap()
}

/// The next leader that is told, as text.
async fn next(leaders: &mut Leaders) -> Option<String> {
    let told = timeout(IN_TIME, leaders.next()).await;
    let leader = told.expect("it is told").expect("it never ends");
    leader.map(|leader| format!("{},{}", leader.session, leader.address))
}

fn some(session: &str, address: &str) -> Option<String> {
    Some(format!("{session},{address}"))
}
