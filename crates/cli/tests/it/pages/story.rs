//! The story that the pages are for: a newcomer drops a job on a page, looks at its checkpoints,
//! kills the leader, and sees who took over and that no task moved.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::Value;

use super::site::{Site, is_marked, mark};
use crate::cluster::running::{Cluster, task_pids};
use crate::harness::{eventually, kill};

/// The file that is dropped.
const JOB: &str = include_str!("../../../../../examples/jobs/visits.toml");

#[test]
fn a_newcomer_drops_a_job_kills_the_leader_and_sees_that_no_task_moved() {
    let Some(site) = Site::with(&[]) else { return };
    let browser = &site.browser;
    browser.open(&site.cluster.url);
    browser.see("There are no jobs yet");
    browser.click("Submit");
    browser.drop_file(".drop", "visits.toml", JOB);
    browser.click("Submit the job");
    browser.see("2 of 2 tasks running");
    let before = task_pids(&site.cluster.running("visits", 1));
    for pid in &before {
        browser.see(&pid.to_string());
    }

    browser.click("Checkpoints");
    let first = checkpoint(&site.cluster);
    mark(browser);
    browser.eventually("the page shows later checkpoints by itself", || {
        let newest = checkpoint(&site.cluster);
        let shown = browser
            .text_of("tbody td")
            .parse::<u64>()
            .unwrap_or_default();
        (newest > first && shown > first).then_some(())
    });

    browser.click("Incumbent");
    let old = leader(&site.cluster);
    browser.see(&format!("{old} leads"));
    browser.see_no_more("There are no jobs yet");
    site.cluster.kill_leader();
    let new = browser.eventually("another JobManager leads", || {
        let now = leader(&site.cluster);
        (!now.is_empty() && now != old).then_some(now)
    });
    // The page was not loaded again, and says it by itself.
    browser.see(&format!("{new} leads"));
    browser.click("Leadership");
    browser.see(&new);
    browser.see(&old);
    // The story is there also on the node that took over, at its own address.
    for address in addresses(&site.cluster) {
        let told = crate::cluster::running::get(&address, "/v1/leadership").unwrap();
        assert_eq!(told["changes"][0]["leader"], new.as_str(), "{told}");
    }
    assert!(is_marked(browser), "the page was loaded again");

    // The same tasks, the same processes, the same attempt.
    browser.click("Jobs");
    browser.click("visits");
    browser.see("2 of 2 tasks running");
    for pid in &before {
        browser.see(&pid.to_string());
    }
    let after = site.cluster.running("visits", 1);
    assert_eq!(task_pids(&after), before);
    assert_eq!(after["restarts"], 0);

    // What the job knows.
    browser.click("State");
    browser.see("pages");
    browser.fill("Key", "/page/7");
    browser.click("Look up");
    browser.see("\"/page/7\"");

    // A TaskManager dies: its tasks go on elsewhere, from the last checkpoint.
    let killed = site.cluster.node_of(&after["tasks"][0]);
    browser.click("Attempts");
    kill(killed, Signal::KILL);
    browser.see("Attempt 2");
    browser.see("Attempt 1");
    site.cluster.running("visits", 2);
    assert!(is_marked(browser), "the page was loaded again");
    site.hear("story", browser.console().errors_but_silence());
    site.assert_no_faults();
}

#[test]
fn every_node_serves_the_pages_and_the_story_survives_the_one_that_is_looked_at() {
    let Some(site) = Site::with(&["--job-managers", "3"]) else {
        return;
    };
    let browser = &site.browser;
    // A JobManager that stands by says so every few seconds.
    let all = eventually("all five nodes are known", || {
        Some(addresses(&site.cluster)).filter(|all| all.len() == 5)
    });
    for address in &all {
        browser.open(address);
        browser.see("JobManagers");
        browser.see(&format!("{} leads", leader(&site.cluster)));
        assert_eq!(browser.address(), format!("{address}/"));
    }
    site.hear("every node", browser.console().errors());

    // The node that is looked at dies: the page stays, says so, and names others.
    let looked_at = site
        .cluster
        .nodes()
        .into_iter()
        .find(|node| node["kind"] == "task-manager")
        .unwrap();
    browser.open(&url(&looked_at));
    browser.see("JobManagers");
    mark(browser);
    kill(crate::cluster::running::pid(&looked_at), Signal::KILL);
    browser.see("This node does not answer");
    browser.see("JobManagers");
    site.look_in_trouble("node-gone");
    assert!(is_marked(browser));
    site.assert_no_faults();
}

fn leader(cluster: &Cluster) -> String {
    cluster.view()["leader"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn checkpoint(cluster: &Cluster) -> u64 {
    cluster.show("visits")["checkpoint"]["number"]
        .as_u64()
        .unwrap_or_default()
}

/// Addresses of all nodes, and that of `up`.
fn addresses(cluster: &Cluster) -> BTreeSet<String> {
    let nodes = cluster.nodes();
    let alive = nodes.iter().filter(|node| node["state"] != "dead");
    alive.map(url).collect()
}

fn url(node: &Value) -> String {
    format!("http://{}", node["address"].as_str().unwrap())
}
