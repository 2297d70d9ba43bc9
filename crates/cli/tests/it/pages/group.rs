//! `incumbent ui --ha`: the pages of a group without a cluster.

use incumbent_browser::{Browser, DESK, Theme};

use super::site::turn;
use crate::harness::{Place, eventually};

#[test]
fn a_group_without_a_cluster_has_pages_of_its_leader_and_its_records() {
    let _turn = turn();
    let Some(browser) = Browser::start() else {
        return;
    };
    browser.show_as(DESK, Theme::Light);
    let place = Place::new();
    let _leader = place.start("leader", place.incumbent(&["run", "--", "sleep", "1000"]));
    let holder = eventually("somebody leads", || {
        place.status()["holder"].as_str().map(str::to_owned)
    });
    let _ui = place.start("ui", place.incumbent(&["ui", "--listen", "127.0.0.1:0"]));
    let url = eventually("it says where it serves", || {
        let out = place.note("ui.out");
        let at = out.find("http://")?;
        out[at..].split_whitespace().next().map(str::to_owned)
    });
    browser.open(&url);
    browser.see("Leadership");
    browser.see(&holder);
    assert!(!browser.has("Submit"), "{}", browser.shown());
    browser.click("Records");
    browser.see("record");
    assert_eq!(browser.console().errors(), Vec::<String>::new());
}
