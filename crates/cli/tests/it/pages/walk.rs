//! A walk through every page and every action, with jobs in every state.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::site::{Site, is_marked, mark};
use crate::cluster::running::pid;
use crate::harness::{kill, stop, until};

const JOB: &str = include_str!("../../../../../examples/jobs/visits.toml");

/// What would be a script if anything took text for HTML.
const SCRIPT: &str =
    "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>";

#[test]
fn every_page_and_action_works_on_a_phone_and_on_a_desk_in_both_themes() {
    let Some(site) = Site::with(&["--slots", "4"]) else {
        return;
    };
    nothing_there_yet(&site);
    by_keyboard(&site);
    jobs_are_submitted(&site);
    a_job_from_all_sides(&site);
    each_action_says_what_it_does_and_does_it(&site);
    what_a_job_says_is_text(&site);
    nodes_come_and_go(&site);
    a_node_is_drained(&site);
    a_silent_node_is_forgotten(&site);
    nobody_leads(&site);
    what_is_not_there(&site);
    site.assert_no_faults();
}

/// Empty states.
fn nothing_there_yet(site: &Site) {
    let browser = &site.browser;
    browser.open(&site.cluster.url);
    browser.see("Nothing is wrong");
    site.look("overview-empty");
    browser.click("Jobs");
    browser.see("There are no jobs yet");
    site.look("jobs-empty");
}

/// Without a mouse: past the header, and to another page.
fn by_keyboard(site: &Site) {
    const TAB: &str = "\u{E004}";
    const ENTER: &str = "\u{E007}";
    let browser = &site.browser;
    browser.open("about:blank");
    site.open("");
    browser.see("JobManagers");
    browser.press(TAB);
    assert_eq!(browser.focus(), "Skip to the page");
    let mut stops = Vec::new();
    while browser.focus() != "Jobs" && stops.len() < 10 {
        browser.press(TAB);
        stops.push(browser.focus());
    }
    assert_eq!(browser.focus(), "Jobs", "{stops:?}");
    browser.press(ENTER);
    browser.see("There are no jobs yet");
    site.hear("keyboard", browser.console().errors());
}

/// By a form, and by a file that is dropped; a wrong one is refused in words.
fn jobs_are_submitted(site: &Site) {
    let browser = &site.browser;
    browser.click("Submit");
    site.look("submit");
    browser.fill("Name", "hello");
    browser.fill("Command", "sh -c 'while :; do echo hello; sleep 1; done'");
    browser.click("Submit the job");
    browser.see("1 of 1 task running");

    browser.click("Submit");
    browser.drop_file(".drop", "visits.toml", JOB);
    site.look("submit-file");
    browser.click("Submit the job");
    browser.see("2 of 2 tasks running");

    browser.click("Submit");
    browser.drop_file(
        ".drop",
        "wrong.toml",
        "name = \"wrong\"\ncomand = [\"true\"]\n",
    );
    browser.click("Submit the job");
    browser.see("comand");
    site.look_refused("submit-refused");

    let cluster = &site.cluster;
    cluster.run(&["--name", "large", "--tasks", "50"], "sleep 1000");
    cluster.run(&["--name", "done"], "echo done");
    cluster.job("done", "has finished", |job| job["state"] == "finished");
    cluster.run(
        &["--name", "broken"],
        "echo one line before the end; exit 78",
    );
    cluster.job("broken", "has failed", |job| job["state"] == "failed");

    browser.click("Jobs");
    for name in ["hello", "visits", "large", "done", "broken"] {
        browser.see(name);
    }
    site.look("jobs");
    browser.fill("Name or id", "visi");
    browser.see_no_more("broken");
    browser.see("visits");
    browser.click("Incumbent");
    browser.see("What is wrong now");
    browser.see("large");
    site.look("overview");
}

/// Each part of a job.
fn a_job_from_all_sides(site: &Site) {
    let browser = &site.browser;
    site.cluster.job("visits", "has a checkpoint", |job| {
        job["checkpoint"]["number"].is_number()
    });
    site.open_job("visits", "");
    browser.see("2 of 2 tasks running");
    // What the tasks say of themselves.
    browser.see("visits");
    site.look("job");
    mark(browser);
    for (tab, words) in [
        ("Checkpoints", "Completed"),
        ("Attempts", "Attempt 1"),
        ("Logs", "has counted"),
        ("Metrics", "visits_total"),
        ("State", "/page/1"),
        // Its program is shown as it was written, line by line.
        ("Job file", "class Contract(http.client.HTTPConnection):\n"),
    ] {
        browser.click(tab);
        if tab == "State" {
            browser.see("pages");
            browser.click("Look up");
        }
        browser.see(words);
        site.look(&format!("job-{}", tab.to_lowercase().replace(' ', "-")));
    }
    browser.click("Logs");
    browser.see("rank 1 has counted");
    browser.fill("Search", "rank 0 has");
    browser.see_no_more("rank 1 has counted");
    browser.see("rank 0 has counted");
    assert!(
        is_marked(browser),
        "a part of a job was loaded as another document"
    );

    site.open_job("broken", "");
    browser.see("78");
    browser.see("one line before the end");
    site.look("job-failed");
    site.open_job("large", "");
    browser.see("slots");
    site.look("job-waiting");
}

/// Actions of a job: each asks first.
fn each_action_says_what_it_does_and_does_it(site: &Site) {
    let browser = &site.browser;
    let cluster = &site.cluster;
    site.open_job("visits", "");
    browser.click("Savepoint");
    browser.see("The job goes on");
    site.look("action");
    browser.click("Make it");
    cluster.job("visits", "has a savepoint", |job| {
        !job["savepoints"].as_array().is_none_or(Vec::is_empty)
    });

    // If you think better of it, nothing changes.
    browser.click("Cancel");
    browser.click("Leave it as it is");
    browser.click("Cancel");
    browser.press("\u{E00C}");
    assert_eq!(cluster.show("visits")["state"], "running");

    browser.click("Restart");
    browser.click("Restart");
    cluster.running("visits", 2);
    browser.see("attempt\n2");
    browser.click("Rescale");
    browser.fill("Tasks", "3");
    browser.click("Rescale");
    cluster.job("visits", "has three tasks", |job| {
        job["tasks"]
            .as_array()
            .is_some_and(|tasks| tasks.len() == 3)
    });
    browser.see("3 of 3 tasks running");
    browser.click("Stop");
    browser.see("savepoint");
    browser.click("Stop");
    browser.see("suspended");
    site.look("job-suspended");
    browser.click("Resume");
    browser.click("Resume");
    browser.see("3 of 3 tasks running");
    browser.click("Cancel");
    browser.click("Cancel the job");
    browser.see("canceled");
    site.hear("actions", browser.console().errors());
    browser.click("Forget");
    browser.click("Forget it");
    browser.see("Submit a job");
    until("it is forgotten", || {
        cluster.ask(&["job", "show", "visits"]).code != Some(0)
    });
    // The page may have asked for the job once more when it was gone.
    let _ = browser.console();
}

/// A script in a log, in an argument, in a progress is text.
fn what_a_job_says_is_text(site: &Site) {
    let browser = &site.browser;
    let script = format!("printf '%s\\n' '{SCRIPT}' 'after the script'; exit 78");
    site.cluster.run(
        &[
            "--name",
            "script",
            "--env",
            &format!("NOTE={}", SCRIPT.replace('\'', "")),
        ],
        &script,
    );
    site.cluster
        .job("script", "has failed", |job| job["state"] == "failed");
    for (part, words) in [
        ("", "onerror"),
        ("attempts", "onerror"),
        ("logs", "after the script"),
        ("file", "onerror"),
    ] {
        site.open_job("script", part);
        browser.see(words);
        browser.see("onerror");
        assert_eq!(browser.count("main img, main script"), 0);
        assert_ne!(browser.title(), "run");
    }
    site.open(&format!(
        "jobs?name={}",
        "%3Cimg%20src%3Dx%20onerror%3D1%3E"
    ));
    browser.see("No job fits");
    assert_eq!(browser.count("main img"), 0);
    site.hear("script", browser.console().errors());
}

/// TaskManagers die and are drained, while somebody looks.
fn nodes_come_and_go(site: &Site) {
    let browser = &site.browser;
    site.open("nodes");
    browser.see("TaskManagers");
    browser.see("JobManagers");
    let leader = site.cluster.view()["leader"]["name"].clone();
    let leads = || row(site, &live(site, &leader)?).filter(|row| row.contains("leads"));
    browser.eventually("the page says which JobManager leads", leads);
    site.look("nodes");
    mark(browser);
    let nodes = site.cluster.nodes();
    let first = nodes
        .iter()
        .find(|node| node["kind"] == "task-manager")
        .unwrap();
    kill(pid(first), Signal::KILL);
    // As a whole: its digits may be a part of a port.
    let cell = pid(first).to_string();
    browser.eventually("the page has another process", || {
        (!browser.has_text("td", &cell)).then_some(())
    });
    until("another one is there", || {
        site.cluster.pids("task-manager").len() == 2
    });
    let pids = site.cluster.pids("task-manager");
    for pid in pids {
        browser.see(&pid.to_string());
    }
    assert!(is_marked(browser));
    site.open("leadership");
    browser.see("Epoch");
    site.look("leadership");
    site.open("records");
    browser.see("jobs");
    site.look("records");
}

/// The row of a node on its page: its cells, in one line. A dead node may have had the same name.
fn row(site: &Site, node: &Value) -> Option<String> {
    let script = "const row = [...document.querySelectorAll('tbody tr')] \
                  .find(row => row.querySelector('strong')?.title === arguments[0]); \
                  return row?.innerText.replace(/\\s+/g, ' ')";
    let row = site.browser.run(script, &[node["nonce"].clone()]);
    row.as_str().map(str::to_owned)
}

/// The node with this name that lives.
fn live(site: &Site, name: &Value) -> Option<Value> {
    let mut nodes = site.cluster.nodes().into_iter();
    nodes.find(|node| node["name"] == *name && node["state"] == "live")
}

/// Draining says what it will do. Its tasks move, and the page shows where to.
fn a_node_is_drained(site: &Site) {
    let browser = &site.browser;
    let job = site.cluster.show("hello");
    let name = job["tasks"][0]["node"].as_str().unwrap().to_owned();
    let process = site.cluster.node_of(&job["tasks"][0]).to_string();
    site.open("nodes");
    let has_it = |job: &Value| {
        let node = live(site, &job["tasks"][0]["node"])?;
        row(site, &node).filter(|row| row.contains("hello[0]"))
    };
    browser.eventually("the job is shown on it", || has_it(&job));
    // If you think better of it, nothing changes.
    browser.click(&format!("Drain {name}"));
    browser.see(&format!("Drain {name}?"));
    browser.see("are started elsewhere, and it gets no more");
    site.look("action-drain");
    browser.click("Leave it as it is");
    assert_eq!(site.cluster.show("hello")["attempt"], job["attempt"]);

    mark(browser);
    browser.click(&format!("Drain {name}"));
    browser.click("Drain");
    site.cluster.job("hello", "runs elsewhere", |moved| {
        moved["state"] == "running" && moved["attempt"] != job["attempt"]
    });
    browser.eventually("the page shows where it went", || {
        has_it(&site.cluster.show("hello"))
    });
    browser.eventually("the drained process is gone from the page", || {
        (!browser.has_text("td", &process)).then_some(())
    });
    assert!(is_marked(browser));
    site.hear("drain", browser.console().errors());
}

/// Only a TaskManager that is silent can be forgotten, and the page says what that may cost.
fn a_silent_node_is_forgotten(site: &Site) {
    let browser = &site.browser;
    let cluster = &site.cluster;
    until("both TaskManagers are there", || {
        cluster.pids("task-manager").len() == 2
    });
    let nodes = cluster.nodes();
    let mut live = nodes
        .iter()
        .filter(|node| node["kind"] == "task-manager" && node["state"] == "live");
    let node = live.next().unwrap();
    let name = node["name"].as_str().unwrap();
    site.open("nodes");
    browser.see(name);
    assert!(!browser.has(&format!("Forget {name}")));
    mark(browser);
    stop(pid(node));
    browser.click(&format!("Forget {name}"));
    browser.see("is gone for good");
    browser.see("they run twice");
    site.look("action-forget");
    browser.click("Forget");
    let of_nonce = || {
        let nodes = cluster.nodes().into_iter();
        let mut same = nodes.filter(|other| other["nonce"] == node["nonce"]);
        same.next()
    };
    until("it counts as dead", || {
        of_nonce().is_some_and(|node| node["state"] == "dead")
    });
    browser.eventually("the page says that it is dead", || {
        row(site, node).filter(|row| row.contains("dead"))
    });
    assert!(is_marked(browser));
    // What was said is made true: `up` starts another one in its place.
    kill(pid(node), Signal::KILL);
    until("another one is there", || {
        cluster.pids("task-manager").len() == 2
    });
    site.hear("forget", browser.console().errors());
}

/// The pages stay, and say that nobody leads, and why.
fn nobody_leads(site: &Site) {
    let browser = &site.browser;
    site.open("");
    browser.see("leads");
    mark(browser);
    let all = site.cluster.pids("job-manager");
    // The standbys first, so that none takes over.
    let leader = site.cluster.leader();
    for pid in all.iter().filter(|pid| **pid != leader) {
        stop(*pid);
    }
    stop(leader);
    browser.see("nobody leads");
    browser.see("Tasks go on");
    site.look_in_trouble("nobody-leads");
    for page in ["jobs", "nodes", "leadership", "records"] {
        site.open(page);
        browser.see("nobody leads");
        site.look_in_trouble(&format!("nobody-leads-{page}"));
    }
    for pid in all {
        kill(pid, Signal::CONT);
    }
    site.open("");
    browser.see_no_more("nobody leads");
    browser.see("JobManagers");
    let _ = browser.console();
}

/// Addresses of nothing.
fn what_is_not_there(site: &Site) {
    let browser = &site.browser;
    site.open("nowhere");
    browser.see("There is no such page");
    site.look("no-such-page");
    // A `%` that stands for nothing; the page before it does not stay.
    site.open("jobs");
    browser.see("Name or id");
    for cut in ["%", "jobs/100%", "jobs/%E0%A4%A", "records/%zz"] {
        site.open(cut);
        browser.see("There is no such page");
        browser.see("two hexadecimal digits");
        browser.see_no_more("Name or id");
        site.open("jobs");
        browser.see("Name or id");
    }
    // What objects have from birth is no page either.
    site.open("constructor");
    browser.see("There is no such page");
    site.hear("addresses", browser.console().errors());
    site.open("jobs/0123456789abcdef0123456789abcdef");
    browser.see("no job");
    site.look_refused("no-such-job");
    browser.run("location.hash = arguments[0]", &[json!("#/")]);
    browser.see("JobManagers");
}
