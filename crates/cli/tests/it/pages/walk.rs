//! A walk through every page and every action, with jobs in every state.

use rustix::process::Signal;
use serde_json::json;

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
        ("Job file", "visits"),
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
    site.open("jobs/0123456789abcdef0123456789abcdef");
    browser.see("no job");
    site.look_refused("no-such-job");
    browser.run("location.hash = arguments[0]", &[json!("#/")]);
    browser.see("JobManagers");
}
