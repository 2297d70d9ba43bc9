//! An API server that is away for many leases.
//!
//! Ten minutes at the usual lease of 15 s are forty leases; here a lease is one second, and the
//! outage is twelve. Real sockets and a paused clock do not go together. What would grow with the
//! length of an outage, the pauses between attempts, has reached its limit of five seconds long
//! before.

use std::time::Duration;

use incumbent::{Group, LostBecause};
use incumbent_kubernetes_double::Verb;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{LEASE, Server, in_time, node, until};

const OUTAGE: Duration = Duration::from_secs(12);

/// FLINK-33728, number 18: a long outage killed healthy jobs. Here the leader stops in time, nobody
/// storms the server, and soon after its return somebody leads, at a higher epoch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_18_after_a_long_outage_somebody_leads_within_seconds_and_nobody_storms() {
    let server = Server::start().await;
    let groups: Vec<Group> = (0..5)
        .map(|at| node(server.open(""), &format!("n{at}"), LEASE))
        .collect();
    let leadership = in_time("it leads", groups[0].candidate().unwrap().campaign()).await;
    leadership.activate().await.unwrap();
    let mut campaigns = JoinSet::new();
    for group in &groups[1..] {
        let group = group.clone();
        campaigns.spawn(async move { group.candidate().unwrap().campaign().await });
    }
    until("all watch", || server.seen(&[Verb::Watch]).len() == 5).await;

    server.double.go_down();
    let begun = Instant::now();
    assert_eq!(
        in_time("it is lost", leadership.lost()).await,
        LostBecause::DeadlinePassed
    );
    // However late this is told on a busy machine, the guard has looked at the time itself.
    tokio::time::sleep_until(begun + LEASE).await;
    assert!(!leadership.guard().is_valid());
    drop(leadership);
    let retry = tokio::spawn({
        let group = groups[0].clone();
        async move { group.candidate().unwrap().campaign().await }
    });
    tokio::time::sleep(OUTAGE.saturating_sub(begun.elapsed())).await;
    assert!(
        campaigns.try_join_next().is_none(),
        "nobody leads without a server"
    );

    server.double.forget_seen();
    server.double.come_back();
    let begun = Instant::now();
    let next = tokio::select! {
        next = campaigns.join_next() => next.unwrap().unwrap(),
        next = retry => next.unwrap(),
        () = tokio::time::sleep(Duration::from_secs(60)) => panic!("nobody leads a minute after the return"),
    };
    let took = begun.elapsed();
    assert!(next.epoch().get() > 1);
    // Pauses that grew with the outage would be as long as it was.
    assert!(took < OUTAGE, "somebody leads after {took:?}");

    let seconds = Duration::from_secs(6);
    tokio::time::sleep(seconds.saturating_sub(begun.elapsed())).await;
    let seen = server.double.seen();
    let count = |verb: Verb| seen.iter().filter(|seen| seen.verb == verb).count();
    println!(
        "led after {took:?}; in six seconds {} gets, {} lists, {} watches, {} writes",
        count(Verb::Get),
        count(Verb::List),
        count(Verb::Watch),
        count(Verb::Create) + count(Verb::Update),
    );
    // The leader renews each 133 ms, which is 45 in six seconds.
    let writes = count(Verb::Create) + count(Verb::Update);
    assert!(writes < 70, "{writes} writes");
    // Each standby looks once at each write of the root, as ever, and a few times besides.
    let reads = count(Verb::Get);
    assert!(
        reads <= 4 * (writes + 10),
        "{reads} reads after {writes} writes"
    );
    assert!(
        count(Verb::Watch) <= 10 && count(Verb::List) <= 10,
        "one watch for each process"
    );
    campaigns.abort_all();
}
