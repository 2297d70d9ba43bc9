//! No output shows a password: not errors, logs or help.

use std::process::Command;

use crate::harness::{Place, finished, free_port, over_tcp, until};

/// A password that no other text contains.
const SECRET: &str = "s3ntinel";

/// Runs the command to its end, and checks everything that it has printed.
#[track_caller]
fn shows_no_secret(command: Command) -> String {
    let shown = format!("{command:?}");
    let done = finished(command);
    let text = done.out + &done.err;
    assert!(!text.contains(SECRET), "{shown}: {text}");
    text
}

fn named(template: &str) -> String {
    template.replace("PW", SECRET)
}

/// Addresses with a password that no store can use, one for each kind of mistake.
const UNUSABLE: [&str; 13] = [
    "zookeeper://user:PW@h:99999/x",
    "zookeeper://user:PW@/x",
    "zookeeper://user:PW@h h/x",
    "zookeeper://PW@h/x",
    "zookeeper://user:PW/x@h:2181/y",
    "zookeeper://user:PW?x@h:2181/y",
    "zookeeper://user:PW@h:2181/x?presence=maybe",
    "etcd://user:PW@h:0/x",
    "etcd://user:PW@h:2379/x?ca=/none.pem",
    "kubernetes://user:PW@namespace/cluster",
    "file://user:PW@h/x",
    "carrier-pigeon://user:PW@h/x",
    "user:PW@h",
];

/// Every command that opens a store.
const OPENING: [&[&str]; 9] = [
    &["status"],
    &["observe", "--lines", "1"],
    &["resign"],
    &["records", "ls"],
    &["records", "get", "x"],
    &["records", "put", "x", "1"],
    &["purge", "--yes"],
    &["gateway", "--listen", "127.0.0.1:0"],
    &["run", "--", "true"],
];

#[test]
fn errors_about_an_address_do_not_repeat_its_password() {
    let place = Place::new();
    for address in UNUSABLE.map(named) {
        // All commands use the same code, so one of them tries every address, and the others try
        // one.
        for args in OPENING {
            if args[0] != "status" && !address.contains("99999") {
                continue;
            }
            let text = shows_no_secret(place.incumbent(&[&["--ha", &address], args].concat()));
            assert!(text.contains("incumbent: "), "{address} {args:?}: {text}");
            let mut command = place.incumbent(args);
            command.env("INCUMBENT_HA", &address);
            shows_no_secret(command);
        }
    }
}

#[test]
fn errors_about_other_flags_do_not_repeat_a_password() {
    let place = Place::new();
    for (args, value) in [
        (&["run", "--publish"][..], "web=http://user:PW@h:x/"),
        (&["run", "--publish"], "web=http://user:PW@0.0.0.0:80/"),
        (&["run", "--publish"], "web=http://user:PW@h:80/\u{1b}"),
        (&["run", "--ready"], "https://user:PW@h/"),
        (&["run", "--ready"], "http://user:PW@h:x/"),
        (&["run", "--status-listen"], "http://user:PW@h"),
        (&["gateway", "--flink"], "zookeeper://user:PW@h:x/f/c"),
        (&["gateway", "--flink"], "file://user:PW@h/"),
        (&["gateway", "--listen"], "http://user:PW@h"),
        (&["flink", "inspect"], "zookeeper://user:PW@h:x/f/c"),
        (&["flink", "inspect"], "kubernetes://user:PW@h/"),
        (&["serve", "--listen"], "zookeeper://user:PW@h"),
        (&["records", "put", "x"], "PW"),
        (&["records", "put", "x", "1", "--expect"], "{\"a\": PW}"),
        (&["records", "get", "x", "--default"], "PW"),
    ] {
        let value = named(value);
        let mut all = [args, &[&*value]].concat();
        if args[0] == "run" {
            all.extend(["--", "true"]);
        }
        let text = shows_no_secret(place.incumbent(&all));
        assert!(
            text.contains("error: ") || text.contains("incumbent: "),
            "{text}"
        );
    }
}

#[test]
fn errors_about_the_configuration_file_do_not_repeat_it() {
    const OF_RUN: &str = "[run]\npublish = ['web=http://user:PW@h:x']";
    let place = Place::new();
    for (text, place_of_error) in [
        ("ha = \"zookeeper://user:PW@h/x", "line 1"),
        ("ha = zookeeper://user:PW@h/x", "line 1"),
        ("ha = 'zookeeper://user:PW@h/x' lease = '5s'", "line 1"),
        ("group = 'x'\nha 'zookeeper://user:PW@h/x'", "line 2"),
        ("ha = ['zookeeper://user:PW@h/x']", "ha takes one value"),
        ("ha = { user = 'PW' }", "no command \"ha\""),
        ("[serve]\nsuper-digest = user:PW", "line 2"),
        ("[serve]\nsuper-digest = \"user:PW\nlisten = 1", "line 2"),
        (
            "[serve]\nsuper-digest = 'PW'\nsuper-digest = 'PW'",
            "line 3",
        ),
        ("[run]\npublish = [['PW']]", "publish takes text"),
        (OF_RUN, "publish in damaged.toml"),
        ("lease = \"5s\\xPW\"", "line 1"),
        ("lease = 5sPW", "line 1"),
    ] {
        std::fs::write(place.path("damaged.toml"), named(text)).unwrap();
        for args in [&["status"][..], &["run", "--", "true"], &["serve"]] {
            let args = [&["--config", "damaged.toml"], args].concat();
            // A mistake in the table of one command does not affect other commands.
            if text == OF_RUN && args[2] != "run" {
                continue;
            }
            let shown = shows_no_secret(place.incumbent(&args));
            assert!(shown.contains(place_of_error), "{text:?}: {shown}");
        }
    }
}

#[test]
fn help_does_not_show_the_environment() {
    let place = Place::new();
    let commands = [
        &[][..],
        &["run"],
        &["observe"],
        &["status"],
        &["resign"],
        &["records"],
        &["records", "ls"],
        &["records", "get"],
        &["records", "put"],
        &["records", "rm"],
        &["purge"],
        &["gateway"],
        &["flink"],
        &["flink", "inspect"],
        &["serve"],
        &["up"],
        &["job-manager"],
        &["task-manager"],
        &["job"],
        &["job", "run"],
        &["job", "ls"],
        &["job", "show"],
        &["job", "logs"],
        &["job", "why"],
        &["job", "cancel"],
        &["job", "stop"],
        &["job", "resume"],
        &["job", "rescale"],
        &["job", "savepoint"],
        &["job", "restart"],
        &["job", "rm"],
        &["savepoint"],
        &["savepoint", "ls"],
        &["savepoint", "rm"],
        &["node"],
        &["node", "ls"],
        &["node", "drain"],
        &["node", "forget"],
        &["completions"],
        &["man"],
    ];
    // Every variable that any command knows.
    let known = |args: &[&str]| {
        let help = place.ask(&[args, &["--help"]].concat()).assert_code(0).out;
        let names: Vec<_> = help
            .match_indices("[env: ")
            .map(|(at, _)| {
                let name = &help[at + "[env: ".len()..];
                name[..name.find([']', '=']).unwrap()].to_owned()
            })
            .collect();
        names
    };
    let names: std::collections::BTreeSet<_> =
        commands.iter().flat_map(|args| known(args)).collect();
    assert!(names.contains("INCUMBENT_HA") && names.contains("INCUMBENT_SUPER_DIGEST"));
    for args in commands {
        for flag in ["--help", "-h"] {
            let mut command = place.incumbent(args);
            command.arg(flag);
            command.envs(names.iter().map(|name| (name, SECRET)));
            shows_no_secret(command);
        }
    }
}

#[test]
fn logs_do_not_show_a_password() {
    for format in ["text", "json"] {
        let place = Place::new();
        let address = named(&format!("zookeeper://user:PW@127.0.0.1:{}/x", free_port()));
        let status = format!("127.0.0.1:{}", free_port());
        let mut command = place.incumbent(&["--log", "trace", "--log-format", format]);
        command.args([
            "--ha",
            &address,
            "run",
            "--status-listen",
            &status,
            "--",
            "true",
        ]);
        let away = place.start("away", command);
        away.logged("campaigning");
        away.logged("ZooKeeper");
        until("it answers", || {
            over_tcp(&status, "GET", "/readyz", &[], "").is_ok()
        });
        for path in ["/readyz", "/metrics"] {
            let report = over_tcp(&status, "GET", path, &[], "").unwrap().body;
            assert!(!report.contains(SECRET), "{report}");
        }
        assert!(!away.log().contains(SECRET), "{}", away.log());

        // Published addresses may contain a password. They are data, but the log must still not
        // show it.
        let port = free_port();
        let publish = named(&format!("web=http://user:PW@127.0.0.1:{port}/"));
        let flags = ["--ready-now", "--publish", &publish];
        let mut command = place.incumbent(&["--log", "debug", "--log-format", format]);
        command.args(["run", "--holder", "a"]).args(flags);
        command.args(["--", "sleep", "1000"]);
        let a = place.start("a", command);
        place.active("a");
        assert!(!a.log().contains(SECRET), "{}", a.log());
    }
}

#[test]
fn an_unreachable_store_is_named_without_its_password() {
    let place = Place::new();
    for scheme in ["zookeeper", "etcd"] {
        let address = named(&format!("{scheme}://user:PW@127.0.0.1:{}/x", free_port()));
        for args in [
            &["status"][..],
            &["records", "ls"],
            &["records", "get", "x"],
            &["resign"],
            &["purge", "--yes"],
        ] {
            let flags = ["--ha", &address, "--lease", "2s", "--log", "debug"];
            shows_no_secret(place.incumbent(&[&flags, args].concat()));
        }
    }
}
