//! `incumbent purge`, on a store that supports removal.

use serde_json::{Value, json};

use crate::diagnostics::on_a_full_disk;
use crate::harness::{Node, Place};

/// A leader server with a group that has a root, a floor and two records.
fn store(place: &Place) -> (Node, String) {
    let command = place.incumbent(&["serve", "--listen", "127.0.0.1:0"]);
    let server = place.start("s", command);
    let ha = format!("{}/demo", place.noted("s.out"));
    for name in ["one", "two"] {
        place
            .ask(&["--ha", &ha, "records", "put", name, "1"])
            .assert_code(0);
    }
    (server, ha)
}

#[test]
fn each_item_is_printed_once_it_is_removed() {
    let place = Place::new();
    let (_server, ha) = store(&place);
    let unsure = place.ask(&["--ha", &ha, "purge"]).assert_code(2);
    assert_eq!(unsure.out, "", "nothing was removed");
    let done = place.ask(&["--ha", &ha, "purge", "--yes"]).assert_code(0);
    let lines: Vec<Value> = done
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for item in ["@root", "@floor", "one", "two"] {
        let line = json!({ "group": "default", "item": item, "removed": true });
        assert!(lines.contains(&line), "{line} in {}", done.out);
    }
    assert!(done.err.contains("4 of 4 removed"), "{}", done.err);
    let again = place.ask(&["--ha", &ha, "purge", "--yes"]).assert_code(0);
    assert_eq!(again.out, "");
}

#[test]
fn a_store_that_keeps_tombstones_prints_nothing_as_removed() {
    let place = Place::new();
    place.ask(&["records", "put", "x", "1"]).assert_code(0);
    // It does not ask first.
    for purge in [&["purge", "--yes"][..], &["purge"]] {
        let done = place.ask(purge).assert_code(1);
        assert_eq!(done.out, "");
        let words = "keeps tombstones; stop all nodes, and remove it by hand";
        assert!(done.err.contains(words), "{}", done.err);
    }
}

#[test]
fn what_cannot_be_printed_is_a_failure() {
    let place = Place::new();
    let (_server, ha) = store(&place);
    let done = on_a_full_disk(place.incumbent(&["--ha", &ha, "purge", "--yes"]));
    assert_eq!(done.code, Some(1), "{}", done.err);
    let words = "cannot write to standard output";
    assert!(done.err.contains(words), "{}", done.err);
}
