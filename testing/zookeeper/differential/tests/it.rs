//! Runs some scripts; `cargo run --release -p incumbent-differential` runs thousands.

use incumbent_differential::{Campaign, OURS, Report, Servers, ours, reference};

fn campaign(count: u64) -> Campaign {
    Campaign {
        seeds: 0..count,
        jobs: 8,
        most_kinds: 3,
    }
}

fn assert_none(report: &Report) {
    let found: Vec<String> = report
        .differences
        .values()
        .map(|(count, mismatch)| format!("in {count} scripts: {mismatch}"))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_server_answers_as_zookeeper_does() {
    let Some(reference) = reference() else { return };
    let mut own = None;
    let ours = match std::env::var(OURS) {
        Ok(address) => address,
        Err(_) => own.insert(ours()).address().to_owned(),
    };
    let servers = Servers {
        reference: reference.address(),
        ours,
    };
    let report = campaign(120).run(&servers).await.expect("both serve");
    assert_none(&report);
}

/// The comparison allows for all differences between two correct servers.
#[tokio::test(flavor = "multi_thread")]
async fn two_zookeepers_show_no_difference() {
    let (Some(one), Some(other)) = (reference(), reference()) else {
        return;
    };
    let servers = Servers {
        reference: one.address(),
        ours: other.address(),
    };
    let report = campaign(30).run(&servers).await.expect("both serve");
    assert_none(&report);
}

/// The comparison is not blind: it finds a server with other rules.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_other_rules_is_found_out() {
    use incumbent_servers::zookeeper::{Options, ZooKeeper};
    let lenient = || Options::default().config("skipACL=yes").log_level("error");
    let (Some(one), Some(other)) = (reference(), ZooKeeper::start(lenient())) else {
        return;
    };
    let servers = Servers {
        reference: one.address(),
        ours: other.address(),
    };
    let mut campaign = campaign(30);
    campaign.most_kinds = 1;
    let report = campaign.run(&servers).await.expect("both serve");
    assert!(!report.differences.is_empty());
}
