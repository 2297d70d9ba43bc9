//! A cluster whose nodes speak TLS and ask clients, and each other, for certificates.

use serde_json::Value;

use super::running::up;
use crate::gateway::tls::Authority;
use crate::harness::{Done, Place, eventually, until};

#[test]
fn with_tls_only_clients_of_the_authority_are_answered() {
    let place = Place::new();
    let town = Authority::new(&place, "town");
    town.sign("node", "127.0.0.1");
    town.sign("client", "someone.example");
    Authority::new(&place, "elsewhere").sign("stranger", "someone.example");
    let ca = town.file();
    let flags = [
        "--cert",
        "node.pem",
        "--key",
        "node.key",
        "--client-ca",
        &ca,
        "--ca",
        &ca,
    ];
    let _up = place.start("up", up(&place, &flags));
    let url = eventually("up says where it answers", || {
        let out = place.note("up.out");
        let first = out.lines().next().map(str::to_owned);
        first.filter(|_| out.contains("stop "))
    });
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");

    let ask = |args: &[&str], flags: &[&str]| -> Done {
        place.ask(&[args, &["--cluster", &url], flags].concat())
    };
    let known = ["--ca", &ca, "--cert", "client.pem", "--key", "client.key"];
    until("all nodes are there", || {
        ask(&["node", "ls"], &known).out.lines().count() == 4
    });
    let run = [
        &["job", "run", "--follow", "--cluster", &url][..],
        &known,
        &["--", "echo", "hello"],
    ];
    assert_eq!(place.ask(&run.concat()).assert_code(0).out, "hello\n");
    // Each other node is asked in the same way.
    for line in ask(&["node", "ls"], &known).out.lines() {
        let node: Value = serde_json::from_str(line).unwrap();
        let url = format!("https://{}", node["address"].as_str().unwrap());
        let list = [&["job", "ls", "--cluster", &url][..], &known].concat();
        assert_eq!(place.ask(&list).assert_code(0).out.lines().count(), 1);
    }
    for (flags, words) in [
        (&["--ca", &*ca][..], "no node of the cluster has answered"),
        (
            &[
                "--ca",
                "elsewhere.ca",
                "--cert",
                "client.pem",
                "--key",
                "client.key",
            ],
            "authority",
        ),
        (
            &[
                "--ca",
                &ca,
                "--cert",
                "stranger.pem",
                "--key",
                "stranger.key",
            ],
            "no node of the cluster",
        ),
    ] {
        let refused = ask(&["job", "ls"], flags).assert_code(7);
        assert!(refused.err.contains(words), "{flags:?}: {}", refused.err);
    }
    ask(&["job", "ls"], &["--cert", "client.pem"]).assert_code(2);
}
