//! What a leader does not do that is none any more.

use std::sync::Arc;
use std::time::Duration;

use incumbent_cluster_core::leader::Question;
use incumbent_cluster_core::message::{Command, Order, Report};
use incumbent_cluster_core::record::{JobRecord, JobState};
use incumbent_cluster_node::NotLeading;
use incumbent_cluster_node::wire::REPORTS;

use super::fake::Fake;
use super::harness::{Apart, PATIENCE, Place, spec, submit, wait};

#[tokio::test]
async fn deposed_leader_sends_nothing_and_acknowledges_nothing() {
    let place = Place::memory();
    let first = place.manager("jm-1").await;
    first.leads().await;
    let fake = Fake::start(&place, "tm-1", 2).await;
    fake.is_registered().await;
    let old = first.node.role().guard().unwrap();
    let second = place.manager("jm-2").await;
    first.cut();
    old.ended().await;
    let address = first.node.address().to_owned();
    // From here on it can be reached, and wants to be asked by nobody.
    assert_eq!(first.handle.ask(Question::Cluster).await, Err(NotLeading));
    let report = report(&fake);
    let client = fake.node.client();
    let sent = client.post::<serde_json::Value>(&address, REPORTS, &report, PATIENCE);
    assert!(sent.await.unwrap_err().is_not_leading());
    second.leads().await;
    let job = submit(&second.node, spec("a", 2)).await;
    second.until(job, JobState::Running).await;
    let newest = second.node.role().guard().unwrap().epoch();
    assert!(newest > old.epoch());
    // Whatever came after the first order of the new term came from the new leader.
    wait("it has orders of the new term", async || {
        fake.orders().iter().any(|order| order.seal.epoch == newest)
    })
    .await;
    let epochs: Vec<_> = fake.orders().iter().map(|order| order.seal.epoch).collect();
    assert!(epochs.is_sorted(), "{epochs:?}");
    let acknowledged = fake.acknowledged();
    assert!(acknowledged.iter().map(|ack| ack.seal.epoch).is_sorted());
}

/// It is stopped for longer than its lease while it holds an order that waits for its turn, and
/// goes on when somebody else leads.
#[tokio::test]
async fn leader_that_was_stopped_past_its_lease_does_nothing_when_it_goes_on() {
    let place = Arc::new(Place::memory());
    let first = Apart::leads(&place, "jm-1").await;
    let fake = Fake::start(&place, "tm-1", 2).await;
    fake.is_registered().await;
    let second = place.manager("jm-2").await;
    // The first order stays on its way, and the second one behind it.
    fake.slow(Duration::from_secs(8));
    let is_deployment = |order: &&Order| matches!(order.command, Command::Deploy(_));
    let one = submit(&fake.node, spec("a", 1)).await;
    wait("its order is on its way", async || {
        fake.orders().iter().any(|order| is_deployment(&order))
    })
    .await;
    let jobs = [one, submit(&fake.node, spec("b", 1)).await];
    let name = jobs[1].record();
    wait("it is placed", async || {
        let read = fake.node.group().read::<JobRecord>(&name).await;
        read.unwrap().unwrap().data.attempt.0 == 1
    })
    .await;
    first.stop(Duration::from_secs(6));
    let late = report(&fake);
    let client = fake.node.client();
    let sent = client.post::<serde_json::Value>(&first.address, REPORTS, &late, PATIENCE);
    let goes_on = async {
        second.leads().await;
        fake.slow(Duration::ZERO);
        for job in jobs {
            second.until(job, JobState::Running).await;
        }
    };
    let (sent, ()) = tokio::join!(sent, goes_on);
    // It waited in front of the process until that went on.
    assert!(sent.unwrap_err().is_not_leading());
    let orders = fake.orders();
    let old = orders
        .iter()
        .filter(|order| order.seal.epoch == first.epoch);
    let old = old.filter(is_deployment).count();
    assert_eq!(old, 1, "the one behind it was not sent");
    for job in jobs {
        let view = second.job(job).await;
        assert_eq!((view.attempt, view.restarts), (1, 0));
    }
}

/// What a TaskManager says that has nothing to say.
fn report(fake: &Fake) -> Report {
    Report {
        seal: fake.acknowledged().last().unwrap().seal,
        from: fake.nonce,
        seq: u64::MAX,
        is_full: false,
        node: None,
        ports: None,
        tasks: Vec::new(),
        is_draining: false,
        has_blobs: true,
    }
}
