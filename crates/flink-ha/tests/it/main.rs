//! Clusters in real stores: inspected, followed, and left as they are.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod clean;
mod kubernetes;
mod migrate;
mod mutations;
mod zookeeper;

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use incumbent_flink_ha::{
    Component, FlinkAddress, FlinkCluster, FlinkError, InspectOptions, Leader, follow,
};
use tokio::time::timeout;

/// How long each expected event may take.
const IN_TIME: Duration = Duration::from_secs(60);

const ONE: &str = "8b5f5a4e-1c55-4f0c-9d2e-000000000001";
const TWO: &str = "8b5f5a4e-1c55-4f0c-9d2e-000000000002";

type Leaders = BoxStream<'static, Option<Leader>>;

fn leaders(address: &FlinkAddress, component: &Component) -> Leaders {
    follow(address, component).unwrap()
}

/// Inspects without waiting for a renewal, and without looking at files.
async fn inspect(address: &FlinkAddress) -> Result<FlinkCluster, FlinkError> {
    let options = InspectOptions {
        wait: false,
        files: false,
    };
    incumbent_flink_ha::inspect(address, options).await
}

/// The next leader that comes, as text.
async fn next(leaders: &mut Leaders) -> Option<String> {
    let next = timeout(IN_TIME, leaders.next()).await;
    let leader = next
        .expect("it comes in time")
        .expect("the stream never ends");
    leader.map(|leader| format!("{},{}", leader.session, leader.address))
}

fn some(session: &str, address: &str) -> Option<String> {
    Some(format!("{session},{address}"))
}
