//! Which process runs the command next, and when.

use rustix::process::Signal;

use super::cluster::Cluster;
use crate::harness::{NOTE, runs, until};

super::claims! {
    a_killed_leader_is_followed_long_before_its_lease_ends
    a_leader_told_to_end_hands_over
    a_stubborn_command_is_ended_before_the_next_one_starts
    a_root_deleted_by_hand_leads_to_a_higher_epoch_and_no_second_leader
    a_leader_asked_to_resign_stands_by
    the_epochs_go_on_after_everybody_was_away
}

/// A lease that no test here waits for: whatever happens within the patience of [`until`] has
/// another reason.
const LONG: [&str; 2] = ["--lease", "2m"];

fn noting() -> String {
    format!("{NOTE} exec sleep 1000")
}

fn a_killed_leader_is_followed_long_before_its_lease_ends(cluster: &Cluster) {
    let place = &cluster.place;
    let mut a = cluster.node("a", &LONG, &noting());
    let first = place.started(1);
    let b = cluster.node("b", &LONG, &noting());
    cluster.stand_by(&["b"]);
    a.kill();
    let second = place.started(2);
    assert!(!runs(first.pid));
    assert_eq!((second.epoch, second.holder.as_str()), (2, "b"));
    b.logged("the last leader is dead");
    place.assert_one_at_a_time();
}

fn a_leader_told_to_end_hands_over(cluster: &Cluster) {
    let place = &cluster.place;
    let mut a = cluster.node("a", &LONG, &noting());
    let first = place.started(1);
    let _b = cluster.node("b", &LONG, &noting());
    cluster.stand_by(&["b"]);
    a.signal(Signal::TERM);
    let second = place.started(2);
    assert!(!runs(first.pid));
    assert_eq!((second.epoch, second.holder.as_str()), (2, "b"));
    assert_eq!(a.code(), Some(128 + 15));
    place.assert_one_at_a_time();
}

fn a_stubborn_command_is_ended_before_the_next_one_starts(cluster: &Cluster) {
    let place = &cluster.place;
    let stubborn = format!("trap '' TERM; {NOTE} while :; do sleep 0.1; done");
    let flags = [&LONG[..], &["--stop-timeout", "500ms"]].concat();
    let mut a = cluster.node("a", &flags, &stubborn);
    let first = place.started(1);
    let _b = cluster.node("b", &flags, &noting());
    cluster.stand_by(&["b"]);
    a.signal(Signal::TERM);
    place.started(2);
    assert!(!runs(first.pid));
    a.code();
    place.assert_one_at_a_time();
}

fn a_root_deleted_by_hand_leads_to_a_higher_epoch_and_no_second_leader(cluster: &Cluster) {
    let place = &cluster.place;
    // The command ends slowly, and until it has ended no other process may lead.
    let slow = format!("trap 'sleep 1; exit 0' TERM; {NOTE} while :; do sleep 0.05; done");
    let _a = cluster.node("a", &[], &slow);
    place.started(1);
    let _b = cluster.node("b", &[], &slow);
    cluster.stand_by(&["b"]);
    for round in 1..=3 {
        let before = cluster.status()["epoch"].as_u64().unwrap();
        cluster.remove("configmaps", &format!("{}.default--root", cluster.id));
        let next = place.started(round + 1);
        assert!(next.epoch > before, "{next:?} after {before}");
        cluster.active(&next.holder);
        let standby = if next.holder == "a" { "b" } else { "a" };
        cluster.stand_by(&[standby]);
    }
    place.assert_one_at_a_time();
    let running = place.starts();
    let running = running.iter().filter(|start| runs(start.pid));
    assert_eq!(running.count(), 1);
}

fn a_leader_asked_to_resign_stands_by(cluster: &Cluster) {
    let place = &cluster.place;
    let mut a = cluster.node("a", &[], &noting());
    place.started(1);
    let _b = cluster.node("b", &[], &noting());
    let _c = cluster.node("c", &[], &noting());
    cluster.stand_by(&["b", "c"]);
    cluster.ask(&["resign", "--to", "c"]).assert_code(0);
    assert_eq!(place.started(2).holder, "c");
    cluster.stand_by(&["a", "b"]);
    assert!(a.is_running());
    place.assert_one_at_a_time();
}

fn the_epochs_go_on_after_everybody_was_away(cluster: &Cluster) {
    let place = &cluster.place;
    let mut a = cluster.node("a", &[], &noting());
    assert_eq!(place.started(1).epoch, 1);
    cluster.active("a");
    a.signal(Signal::TERM);
    a.code();
    // Nothing was deleted: records and epochs wait for the next leader.
    until("nobody leads", || cluster.status()["state"] == "released");
    let _b = cluster.node("b", &[], &noting());
    assert_eq!(place.started(2).epoch, 2);
}
