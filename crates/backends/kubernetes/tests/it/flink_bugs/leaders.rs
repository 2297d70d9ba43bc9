//! Who leads, when leading ends, and what that costs.

use std::time::Duration;

use incumbent::{LostBecause, View};
use incumbent_kubernetes_double::{How, Rule, Verb};
use tokio::time::Instant;

use super::{STEADY, lead, open};
use crate::{LEASE, Server, in_time, node, open_with, place, refusal, until};

#[tokio::test]
async fn bug_5_a_leader_that_can_read_but_not_write_stops() {
    for how in [
        refusal(500, None),
        refusal(403, None),
        How::HangBefore,
        How::CutBefore,
    ] {
        let server = Server::start().await;
        let group = node(server.open(""), "a", LEASE);
        let leadership = lead(&group).await;
        server.always(Verb::Update, "configmaps", how.clone());
        let begun = Instant::now();
        let why = in_time("it is lost", leadership.lost()).await;
        assert_eq!(why, LostBecause::DeadlinePassed, "{how:?}");
        // However late this is told on a busy machine, the guard has looked at the time itself.
        tokio::time::sleep_until(begun + LEASE).await;
        assert!(!leadership.guard().is_valid());
    }
}

/// Nor by other clocks: the times in the root are text for people, and nothing compares them.
#[tokio::test]
async fn bug_6_a_lease_is_judged_by_the_duration_that_its_holder_published() {
    let server = Server::start().await;
    let slow = node(server.open(""), "slow", STEADY);
    let leadership = lead(&slow).await;
    let hasty = node(server.open(""), "hasty", Duration::from_millis(300));
    let campaign = tokio::spawn(async move { hasty.candidate().unwrap().campaign().await });
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!campaign.is_finished(), "ten of its own leases have passed");
    assert!(leadership.guard().is_valid());
    campaign.abort();
}

#[tokio::test]
async fn bug_8_an_idle_cluster_writes_renewals_and_nothing_else() {
    let server = Server::start().await;
    let lease = Duration::from_secs(3);
    let group = node(server.open(""), "a", lease);
    let leadership = lead(&group).await;
    let mut record = open(&leadership, "jobs/17").await;
    record.commit(1).await.unwrap();
    let others = ["b", "c"].map(|name| node(server.open(""), name, lease));
    let waiting = others
        .clone()
        .map(|other| tokio::spawn(async move { other.candidate().unwrap().campaign().await }));
    for other in &others {
        let mut observer = other.observe();
        in_time(
            "it is seen",
            observer.wait_for(|view| view.active().is_some()),
        )
        .await;
    }
    until("all watch", || server.seen(&[Verb::Watch]).len() == 3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.double.forget_seen();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let seen = server.double.seen();
    let renewals = seen
        .iter()
        .filter(|seen| seen.verb == Verb::Update && seen.name == "demo.g--root")
        .count();
    assert!(
        (5..=12).contains(&renewals),
        "{renewals} in four seconds, one in 400 ms"
    );
    let largest = seen.iter().map(|seen| seen.bytes_in).max();
    println!("{renewals} renewals, of {largest:?} bytes at most");
    assert!(largest < Some(3000), "renewals are small");
    let reads = seen
        .iter()
        .filter(|seen| seen.verb == Verb::Get && seen.name == "demo.g--root")
        .count();
    assert_eq!(
        seen.len(),
        renewals + reads,
        "nothing else is asked or written: {seen:#?}"
    );
    assert!(
        reads <= 2 * (renewals + 1),
        "{reads} reads: each standby looks once at each renewal"
    );
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn bug_14_a_standby_writes_nothing() {
    let server = Server::start().await;
    let rules = vec![Rule::new("", &["configmaps"], &["get", "list", "watch"])];
    server.double.allow("token", "standby", rules);
    let file = place::kubeconfig(&server.double, Some("token"));
    let standby = node(open_with(&file, ""), "standby", STEADY);
    let group = node(server.open(""), "a", STEADY);
    let leadership = lead(&group).await;
    let mut observer = standby.observe();
    let candidate = standby.clone();
    let campaign = tokio::spawn(async move { candidate.candidate().unwrap().campaign().await });
    in_time(
        "it sees who leads",
        observer.wait_for(|view| view.active().is_some()),
    )
    .await;
    let mut record = open(&leadership, "jobs/17").await;
    for count in 0..20 {
        record.commit(count).await.unwrap();
        leadership
            .publish(&"web".parse().unwrap(), &format!("http://{count}"))
            .await
            .unwrap();
    }
    let last = |view: &View| {
        view.active()
            .is_some_and(|leader| leader.endpoints.values().any(|web| web == "http://19"))
    };
    in_time("it sees all", observer.wait_for(last)).await;
    let refused: Vec<_> = server
        .double
        .seen()
        .into_iter()
        .filter(|seen| seen.status == 403)
        .collect();
    assert_eq!(refused.len(), 0, "{refused:#?}");
    campaign.abort();
}

#[tokio::test]
async fn bug_17_a_late_subscriber_learns_who_leads_also_after_the_root_was_created_again() {
    let server = Server::start().await;
    let groups = ["a", "b"].map(|name| node(server.open(""), name, LEASE));
    let watching = node(server.open(""), "observer", LEASE);
    let mut observer = watching.observe();
    let mut leadership = lead(&groups[0]).await;
    for round in 1..4 {
        let epoch = leadership.epoch();
        let is_it = |view: &View| view.active().is_some_and(|leader| leader.epoch == epoch);
        in_time("it is told", observer.wait_for(is_it)).await;
        let late = node(server.open(""), "late", LEASE);
        in_time("who comes late is told", late.observe().wait_for(is_it)).await;
        server
            .double
            .delete_by_hand("configmaps", "default", "demo.g--root");
        in_time("it is lost", leadership.lost()).await;
        drop(leadership);
        leadership = lead(&groups[round % 2]).await;
        assert!(
            leadership.epoch() > epoch,
            "a root that was lost begins no epoch anew"
        );
    }
}
