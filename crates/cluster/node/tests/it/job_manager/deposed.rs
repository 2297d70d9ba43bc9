//! What a leader does not do that is none any more.

use incumbent_cluster_core::leader::Question;
use incumbent_cluster_core::message::Report;
use incumbent_cluster_core::record::JobState;
use incumbent_cluster_node::NotLeading;
use incumbent_cluster_node::wire::REPORTS;

use super::fake::Fake;
use super::harness::{PATIENCE, Place, spec, submit, wait};

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
    let report = Report {
        seal: fake.acknowledged().last().unwrap().seal,
        from: fake.nonce,
        seq: u64::MAX,
        is_full: false,
        node: None,
        ports: None,
        tasks: Vec::new(),
        is_draining: false,
        has_blobs: true,
    };
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
