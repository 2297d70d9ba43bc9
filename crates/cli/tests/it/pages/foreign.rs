//! What pages of others can do to a cluster with the browser of a person who may use it: nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use incumbent_browser::{Browser, Options};
use serde_json::{Value, json};

use super::site::turn;
use crate::cluster::running::{Cluster, get};
use crate::harness::{Place, eventually};

/// What a foreign page tries, with the address of the node in place of `NODE`. Each attempt adds a
/// line to `told`.
const ATTACK: &str = r#"<!doctype html><meta charset="utf-8"><title>elsewhere</title>
<iframe id="frame" src="NODE/"></iframe>
<form id="form" method="post" action="NODE/v1/jobs" enctype="text/plain" target="hidden"><input name="x"></form>
<iframe name="hidden"></iframe>
<script>
const job = JSON.stringify({name: 'stolen', tasks: 1, command: ['touch', '/tmp/stolen']});
const id = '0123456789abcdef0123456789abcdef';
const tries = [
  ['read', () => fetch('NODE/v1/cluster')],
  ['read with cookies', () => fetch('NODE/v1/cluster', {credentials: 'include'})],
  ['submit', () => fetch(`NODE/v1/jobs/${id}`, {method: 'PUT', body: job, headers: {'content-type': 'application/json'}})],
  ['submit as plain text', () => fetch('NODE/v1/jobs', {method: 'POST', body: job, mode: 'no-cors', credentials: 'include'})],
  ['cancel', () => fetch('NODE/v1/jobs/mine/desired', {method: 'PUT', body: '{"state":"canceled"}', credentials: 'include'})],
  ['log in', () => fetch('NODE/v1/session', {method: 'POST', body: '{"token":"x"}', mode: 'no-cors'})],
  ['log out', () => fetch('NODE/v1/session', {method: 'DELETE', credentials: 'include'})],
  ['upload', () => fetch('NODE/jars/upload', {method: 'POST', body: job, mode: 'no-cors', credentials: 'include'})],
];
document.getElementById('form').submit();
(async () => {
  const told = [];
  for (const [name, attempt] of tries) {
    // An opaque answer says nothing, not even whether it is an error.
    told.push([name, await attempt().then(answer => answer.type === 'opaque' ? 'opaque' : `read ${answer.status}`, () => 'refused')]);
  }
  window.told = told;
})();
</script>"#;

/// The same from a page that a task serves, which a node passes on.
const TASK: &str = r#"<!doctype html><title>task</title><h1>a page of a task</h1><script>
document.cookie = 'stolen=1';
fetch('/v1/cluster').then(a => a.text(), () => '').then(text => document.title = text ? 'it has read' : 'refused');
fetch('/v1/jobs/mine/desired', {method: 'PUT', body: '{"state":"canceled"}'}).catch(() => {});
</script>"#;

#[test]
fn the_page_of_another_site_reads_nothing_and_changes_nothing() {
    let _turn = turn();
    let rebound = Options {
        flags: vec!["--host-resolver-rules=MAP rebound.test 127.0.0.1".to_owned()],
        ..Options::default()
    };
    let Some(browser) = Browser::with(&rebound) else {
        return;
    };
    let cluster = Cluster::with(Place::new(), &[]);
    cluster.run(&["--name", "mine"], "while :; do sleep 1; done");
    cluster.running("mine", 1);

    // From `localhost`, because the cluster is at 127.0.0.1: another site for a browser.
    let port = serve(ATTACK.replace("NODE", &cluster.url));
    browser.open(&format!("http://localhost:{port}/"));
    let told = browser.eventually("all has been tried", || {
        let told = browser.run("return window.told", &[]);
        told.is_array().then_some(told)
    });
    for attempt in told.as_array().unwrap() {
        let how = attempt[1].as_str().unwrap();
        assert!(["refused", "opaque"].contains(&how), "{attempt}");
    }
    // Nobody can lay the pages under something else, either.
    let framed = browser.shown_in("#frame");
    assert!(!framed.contains("Incumbent"), "{framed}");
    unchanged(&cluster);

    // A name of theirs that leads to our address makes their page of one site with ours.
    let name = cluster.url.replace("127.0.0.1", "rebound.test");
    browser.open(&format!("{name}/v1/cluster"));
    browser.see("Not under this name");
    unchanged(&cluster);
}

#[test]
fn the_page_of_a_task_has_no_part_in_the_node_that_passes_it_on() {
    let _turn = turn();
    let Some(browser) = Browser::start() else {
        return;
    };
    let cluster = Cluster::with(Place::new(), &[]);
    let page = cluster.place.path("index.html");
    std::fs::write(&page, TASK).unwrap();
    cluster.run(&["--name", "mine"], "while :; do sleep 1; done");
    let directory = cluster.place.path("").display().to_string();
    let script = format!(
        "exec python3 -m http.server --bind 127.0.0.1 --directory {directory} $INCUMBENT_PORT"
    );
    cluster.run(&["--name", "web"], &script);
    cluster.running("web", 1);
    let address = format!("{}/v1/jobs/web/tasks/0/http/index.html", cluster.url);
    eventually("the task serves", || {
        browser.open(&address);
        browser.shown().contains("a page of a task").then_some(())
    });
    // It may run no script at all, or one that reads nothing.
    assert_ne!(browser.title(), "it has read");
    browser.open(&cluster.url);
    assert_eq!(browser.cookies(), Vec::<Value>::new());
    assert_eq!(cluster.show("mine")["state"], "running");
}

/// Nothing was submitted or canceled.
fn unchanged(cluster: &Cluster) {
    let jobs = get(&cluster.url, "/v1/jobs").unwrap();
    let names: Vec<_> = jobs["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| &job["name"])
        .collect();
    assert_eq!(json!(names), json!(["mine"]));
    assert_eq!(cluster.show("mine")["state"], "running");
}

/// Serves one page on a free port, for as long as this process runs.
fn serve(page: String) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    port
}
