//! Where the nodes have a token: nothing is shown without it, and scripts cannot read it.

use serde_json::json;

use super::site::Site;
use crate::cluster::running::Cluster;
use crate::harness::Place;

const TOKEN: &str = "a-token-of-more-than-16-bytes";

#[test]
fn with_a_token_people_log_in_once_and_no_script_can_read_it() {
    let site = Site::of(|| {
        let place = Place::new();
        std::fs::write(place.path("token"), TOKEN).unwrap();
        let file = place.path("token").display().to_string();
        Cluster::with_token(place, &file)
    });
    let Some(site) = site else { return };
    let browser = &site.browser;
    browser.open(&site.cluster.url);
    browser.see("Log in");
    assert!(
        !browser.shown().contains("JobManagers"),
        "{}",
        browser.shown()
    );
    // What is refused without a token is an error of the console, and meant to be.
    let _ = browser.console();
    site.look_in_trouble("log-in");

    browser.fill("Token", "not the token, but as long as one");
    browser.click_on("form [type=submit]");
    browser.see("not the token");
    site.look_refused("log-in-wrong");

    browser.fill("Token", TOKEN);
    browser.press("\u{E007}");
    browser.see("JobManagers");
    let _ = browser.console();
    browser.click("Nodes");
    browser.see("TaskManagers");
    site.hear("logged in", browser.console().errors());

    let cookies = browser.cookies();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    assert_eq!(
        (&cookies[0]["httpOnly"], &cookies[0]["sameSite"]),
        (&json!(true), &json!("Strict"))
    );
    assert!(
        !cookies[0].to_string().contains(TOKEN),
        "the cookie is the token"
    );
    // Neither scripts nor addresses have it.
    let seen = browser.run(
        "return JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}, location.href, \
         performance.getEntriesByType('resource').map(each => each.name)])",
        &[],
    );
    assert!(!seen.to_string().contains(TOKEN), "{seen}");
    assert_eq!(browser.run("return document.cookie", &[]), "");

    // The session is one of all nodes, and of the next load too.
    browser.reload();
    browser.see("TaskManagers");
    let _ = browser.console();

    browser.click("Log out");
    browser.see("Log in");
    assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
    browser.reload();
    browser.see("Log in");

    // A cookie that somebody made up.
    let made_up =
        json!({"name": cookies[0]["name"], "value": "0123456789abcdef", "url": site.cluster.url});
    browser.command("Network.setCookie", made_up);
    browser.reload();
    browser.see("Log in");
    site.assert_no_faults();
}
