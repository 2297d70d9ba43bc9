//! How long pages of a cluster with 1,000 jobs take until they can be used, what they weigh, and
//! how soon they show what happens. A command for people, in docs/testing.md; no limit in normal
//! tests.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::site::Site;
use crate::cluster::running::{get, raw};
use crate::harness::until;

const JOBS: usize = 1000;
const LOADS: usize = 11;

/// Notes when something first matches a selector: the page can be used then.
const WATCH: &str = "
    const look = () => {
        const found = document.querySelector('#main SELECTOR');
        if (found && !('usable' in window)) window.usable = performance.now();
    };
    new MutationObserver(look).observe(document, {childList: true, subtree: true});
";

/// What a load was: milliseconds until something was painted and until it could be used; bytes and
/// requests over the wire.
const LOADED: &str = "
    if (!window.usable) return null;
    const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const paint = performance.getEntriesByName('first-contentful-paint')[0];
    return paint ? [paint.startTime, window.usable, all.reduce((sum, each) => sum + each.transferSize, 0), all.length] : null;
";

/// Submits a job, and returns after how many milliseconds the page shows it.
const UPDATED: &str = "
    const [id, name] = arguments;
    const began = performance.now();
    const shown = new Promise(done => {
        const look = () => document.getElementById('main').innerText.includes(name) && done(performance.now() - began);
        new MutationObserver(look).observe(document.getElementById('main'), {childList: true, subtree: true, characterData: true});
    });
    return fetch(`/v1/jobs/${id}`, {method: 'PUT', headers: {'content-type': 'application/json'},
        body: JSON.stringify({name, tasks: 100, command: ['true']})}).then(() => shown);
";

#[test]
#[ignore = "figures for people: cargo test --release -p incumbent-cli --test it pages::weight -- --ignored --nocapture"]
fn pages_of_a_thousand_jobs_are_light_and_quick() {
    let Some(site) = Site::with(&[]) else { return };
    fill(&site);
    let mut table = String::from(
        "| page | first paint | usable | worst | over the wire | requests |\n|---|--:|--:|--:|--:|--:|\n",
    );
    let mut slow = Vec::new();
    for (name, page, selector) in [
        ("overview", "", ".states, table"),
        ("jobs", "jobs", "tbody tr"),
    ] {
        let mut loads: Vec<[f64; 4]> = (0..LOADS).map(|_| load(&site, page, selector)).collect();
        let mut median = |column: usize| {
            loads.sort_by(|one, other| one[column].total_cmp(&other[column]));
            (loads[LOADS / 2][column], loads[LOADS - 1][column])
        };
        let ((paint, _), (usable, worst), (bytes, _), (requests, _)) =
            (median(0), median(1), median(2), median(3));
        let _ = writeln!(
            table,
            "| {name} | {paint:.0} ms | {usable:.0} ms | {worst:.0} ms | {:.1} KB | {requests} |",
            bytes / 1000.0
        );
        if usable > 300.0 || bytes > 150_000.0 {
            slow.push(name);
        }
    }
    let mut updates: Vec<f64> = (0..LOADS).map(|number| update(&site, number)).collect();
    updates.sort_by(f64::total_cmp);
    println!(
        "{table}\nA job is shown {:.0} ms after its submission began (median).",
        updates[LOADS / 2]
    );
    assert!(slow.is_empty(), "more than 300 ms or 150 KB: {slow:?}");
}

/// A thousand jobs: some run, the others wait for slots.
fn fill(site: &Site) {
    let address = site.cluster.url.strip_prefix("http://").unwrap();
    let host = format!("host: {address}");
    for number in 0..JOBS {
        let path = format!("/v1/jobs/{:032x}", number + 1);
        let job =
            json!({"name": format!("job-{number:04}"), "tasks": 1, "command": ["sleep", "100000"]});
        let answer = raw(address, "PUT", &path, &[&host], &job.to_string()).unwrap();
        assert!(answer.status < 300, "{} {}", answer.status, answer.body);
    }
    until("all of them are known", || {
        let jobs = get(&site.cluster.url, "/v1/overview").unwrap_or_default();
        let all = jobs["jobs"]
            .as_object()
            .map(|states| states.values().filter_map(Value::as_u64).sum());
        all == Some(JOBS as u64)
    });
}

/// Loads a page as somebody who was never here.
fn load(site: &Site, page: &str, selector: &str) -> [f64; 4] {
    let browser = &site.browser;
    browser.open("about:blank");
    browser.command("Network.clearBrowserCache", json!({}));
    let watch = browser.command(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({"source": WATCH.replace("SELECTOR", selector)}),
    );
    site.open(page);
    let loaded = browser.eventually("the page can be used", || {
        let loaded = browser.run(LOADED, &[]);
        loaded.is_array().then_some(loaded)
    });
    browser.command("Page.removeScriptToEvaluateOnNewDocument", watch);
    [0, 1, 2, 3].map(|at| loaded[at].as_f64().unwrap())
}

/// Milliseconds until the page `Jobs` shows a job.
fn update(site: &Site, number: usize) -> f64 {
    let name = format!("newest-{number}");
    site.open("jobs");
    site.browser.see("job-");
    let id = format!("{:032x}", 100_000 + number);
    let took = site.browser.run(UPDATED, &[json!(id), json!(name)]);
    took.as_f64().unwrap()
}
