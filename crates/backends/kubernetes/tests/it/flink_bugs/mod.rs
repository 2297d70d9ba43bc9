//! Bugs of Flink's high availability on Kubernetes, by their numbers in our list, as claims about
//! this backend.
//!
//! Numbers 15, 16 and 17 are in `watches.rs` too, 18 in `outage.rs`.

mod leaders;
mod records;

use std::time::Duration;

use incumbent::{Group, Leadership, Record, RecordName};

use crate::in_time;

/// Long enough that a busy machine renews it.
const STEADY: Duration = Duration::from_secs(6);

fn name(name: &str) -> RecordName {
    name.parse().unwrap()
}

async fn lead(group: &Group) -> Leadership {
    let leadership = in_time("it leads", group.candidate().unwrap().campaign()).await;
    leadership.activate().await.unwrap();
    leadership
}

async fn open(leadership: &Leadership, record: &str) -> Record<u64> {
    leadership.open(&name(record)).await.unwrap()
}
