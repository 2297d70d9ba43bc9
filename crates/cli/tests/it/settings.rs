//! Flags, environment, configuration file, and the errors about mistakes in them.

use crate::harness::{Place, finished};

fn config(place: &Place, text: &str) {
    let directory = place.path("home/.config/incumbent");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("config.toml"), text).unwrap();
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
    let place = Place::new();
    config(
        &place,
        "group = 'file'\nlease = '3s'\n[run]\nrestart = 'on-failure'\n[status]\nformat = 'table'\n",
    );
    let group = |flags: &[&str], env: Option<&str>| {
        let mut command = place.incumbent(flags);
        command.args([
            "run",
            "--restart",
            "never",
            "--",
            "sh",
            "-c",
            "echo $INCUMBENT_GROUP",
        ]);
        command.envs(env.map(|name| ("INCUMBENT_GROUP", name)));
        finished(command).assert_code(0).out.trim().to_owned()
    };
    assert_eq!(group(&[], None), "file");
    assert_eq!(group(&[], Some("environment")), "environment");
    assert_eq!(group(&["--group", "flag"], Some("environment")), "flag");
    let status = place.ask(&["status"]).assert_code(3);
    assert!(status.out.contains("group     file"), "{}", status.out);
    assert!(status.out.contains("lease     3s"), "{}", status.out);
    // Booleans and lists work, too.
    config(
        &place,
        "[run]\nready-now = true\npublish = ['web=a:1', 'rpc=a:2']\n",
    );
    let script = "until $I status | grep -q active; do :; done; $I status";
    let mut node = place.node("a", &[], script);
    assert_eq!(node.code(), Some(0));
    let status: serde_json::Value = serde_json::from_str(place.note("a.out").as_str()).unwrap();
    assert_eq!(
        status["endpoints"],
        serde_json::json!({ "web": "a:1", "rpc": "a:2" })
    );
}

#[test]
fn a_kubeconfig_that_cannot_be_used_is_a_mistake_and_not_an_outage() {
    let place = Place::new();
    std::fs::write(place.path("bad"), "clusters: [").unwrap();
    for name in ["missing", "bad"] {
        let file = place.path(name);
        let store = format!("kubernetes://default/demo?kubeconfig={}", file.display());
        for args in [
            &["status"][..],
            &["records", "ls"],
            &["purge", "--yes"],
            &["observe"],
            &["run", "--", "true"],
        ] {
            let all = [&["--ha", store.as_str()][..], args].concat();
            let done = place.ask(&all).assert_code(2);
            assert!(
                done.err.contains("cannot open kubernetes://"),
                "{}",
                done.err
            );
        }
    }
}

#[test]
fn a_flag_replaces_what_the_file_says_of_its_opposite() {
    let place = Place::new();
    config(&place, "[run]\nready-now = true\n");
    // The URL never answers with success.
    let url = format!("http://127.0.0.1:{}", crate::harness::free_port());
    let node = place.node(
        "a",
        &["--ready", &url, "--ready-timeout", "300ms"],
        "exec sleep 1000",
    );
    node.logged("not ready after 300ms");
}

#[test]
fn a_configuration_file_can_be_named() {
    let place = Place::new().with_store();
    std::fs::write(place.path("named.toml"), "group = 'named'").unwrap();
    for args in [
        &["--config", "named.toml", "status"][..],
        &["status", "--config=named.toml"],
    ] {
        assert_eq!(place.ask(args).assert_code(3).json()["group"], "named");
    }
    let mut command = place.incumbent(&["status"]);
    command.env("INCUMBENT_CONFIG", place.path("named.toml"));
    assert_eq!(finished(command).json()["group"], "named");
    let missing = place
        .ask(&["--config", "missing.toml", "status"])
        .assert_code(2);
    assert!(
        missing.err.contains("cannot read missing.toml"),
        "{}",
        missing.err
    );
}

#[test]
fn mistakes_in_the_file_are_named_with_the_file() {
    let place = Place::new();
    for (text, word) in [
        ("grup = 'x'", "grup"),
        ("[run]\nredy = 1", "redy"),
        ("[fly]\nx = 1", "fly"),
        ("group = ", "line 1, column"),
        ("lease = 'soon'", "soon"),
    ] {
        config(&place, text);
        let done = place.ask(&["status"]).assert_code(2);
        assert!(done.err.contains(word), "{text}: {}", done.err);
        assert!(done.err.contains("config.toml"), "{text}: {}", done.err);
    }
}

#[test]
fn a_wrong_value_is_told_with_where_it_comes_from() {
    let place = Place::new();
    config(&place, "lease = 5");
    let status = |flags: &[&str], variable: Option<&str>| {
        let mut command = place.incumbent(&[&["status"][..], flags].concat());
        command.envs(variable.map(|value| ("INCUMBENT_LEASE", value)));
        finished(command).assert_code(2).err
    };
    let file = status(&[], None);
    let told = "invalid value '5' for 'lease in ";
    assert!(
        file.contains(told) && file.contains("config.toml': "),
        "{file}"
    );
    let variable = status(&[], Some("7"));
    assert!(
        variable.contains("invalid value '7' for 'INCUMBENT_LEASE': "),
        "{variable}"
    );
    let flag = status(&["--lease", "9"], Some("7"));
    assert!(
        flag.contains("invalid value '9' for '--lease <DURATION>': "),
        "{flag}"
    );
}

#[test]
fn timings_that_cannot_work_are_refused_at_the_start() {
    let place = Place::new();
    for (flags, word) in [
        (&["--lease", "10ms"][..], "retry period"),
        (
            &["--lease", "5s", "--renew-deadline", "6s"],
            "renew deadline",
        ),
        (&["--lease", "5s", "--hard-deadline", "6s"], "hard deadline"),
        (&["--lease", "2h"], "lease"),
        (&["--retry-period", "14s"], "retry period"),
        (&["--lease", "soon"], "soon"),
    ] {
        let done = place
            .ask(&[flags, &["run", "--", "touch", "ran"]].concat())
            .assert_code(2);
        assert!(done.err.contains(word), "{flags:?}: {}", done.err);
    }
    assert!(!place.path("ran").exists() && !place.path("ha").exists());
}

#[test]
fn a_port_that_is_taken_is_told_with_what_to_do() {
    let place = Place::new().with_store();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let port = taken.local_addr().unwrap().port();
    for (args, code) in [
        (&["gateway", "--listen", &address][..], 4),
        (&["sidecar", "--listen", &address], 4),
        (&["task-manager", "--listen", &address], 4),
        (&["ui", "--listen", &address], 4),
        (&["run", "--status-listen", &address, "--", "true"], 125),
    ] {
        let done = place.ask(args).assert_code(code);
        let told = format!(
            "cannot listen on {address}: another program listens there (`ss -ltnp sport = :{port}`"
        );
        assert!(done.err.contains(&told), "{args:?}: {}", done.err);
    }
}

#[test]
fn bad_usage_is_told_apart() {
    let place = Place::new();
    for (args, word) in [
        (&["run", "--publish", "web", "--", "true"][..], "NAME=ADDR"),
        (
            &["run", "--publish", "web=nowhere", "--", "true"],
            "it has no port",
        ),
        (
            &["run", "--publish", "web=0.0.0.0:80", "--", "true"],
            "not where others reach it; write",
        ),
        (
            &["run", "--publish", "web=http://[::]:80/", "--", "true"],
            "not where others reach it; write",
        ),
        (
            &["run", "--publish", "web=http://a:1/\u{1b}[2J", "--", "true"],
            "control characters are not allowed",
        ),
        (
            &["run", "--publish", "web=http://a:1/\u{202e}", "--", "true"],
            "direction of text",
        ),
        (
            &["run", "--publish", "a b=a:1", "--", "true"],
            "the name of an endpoint",
        ),
        (
            &["gateway", "--listen", "localhost:8080"],
            "write IP:PORT, such as 127.0.0.1:8080",
        ),
        (
            &["gateway", "--tls-listen", "8080"],
            "write IP:PORT, such as 127.0.0.1:8080",
        ),
        (&["run", "--restart", "maybe", "--", "true"], "on-failure"),
        (&["--group", "a b", "run", "--", "true"], "a b"),
        (&["--holder", "a b", "run", "--", "true"], "a b"),
        (&["--ha", "carrier-pigeon://x", "status"], "carrier-pigeon"),
        (&["--ha", "file:relative", "status"], "relative"),
        (&["--log", "a=b=c", "status"], "log filter"),
        (&["fly"], "fly"),
    ] {
        let done = place.ask(args).assert_code(2);
        assert!(done.err.contains(word), "{args:?}: {}", done.err);
    }
}

#[test]
fn completions_and_the_manual_are_printed() {
    let place = Place::new();
    let bash = place.ask(&["completions", "bash"]).assert_code(0);
    assert!(bash.out.contains("complete -F _incumbent") && bash.out.contains("--ready-timeout"));
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(
            place
                .ask(&["completions", shell])
                .assert_code(0)
                .out
                .contains("incumbent")
        );
    }
    let man = place.ask(&["man"]).assert_code(0).out;
    for words in [
        ".TH incumbent 1",
        ".SH SYNOPSIS",
        "INCUMBENT_EPOCH",
        "ready\\-timeout",
        ".TH incumbent-job-run 1",
        "121  canceled",
    ] {
        assert!(man.contains(words), "{words}");
    }
}

#[test]
fn help_names_variables_and_exit_codes() {
    let place = Place::new();
    let help = place.ask(&["--help"]).assert_code(0).out;
    assert!(
        help.contains("[env: INCUMBENT_HA]") && help.contains("Exit codes:"),
        "{help}"
    );
    let gateway = place.ask(&["gateway", "--help"]).assert_code(0).out;
    for words in ["or 504 if the leader took too long", "NodeLayer"] {
        assert!(gateway.contains(words), "{words}: {gateway}");
    }
    let version = place.ask(&["--version"]).assert_code(0).out;
    assert_eq!(
        version,
        concat!("incumbent ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(
        place.ask(&["run", "--version"]).out,
        concat!("incumbent-run ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

/// If you ask for TLS or for a token, you must not get less without an error.
#[test]
fn a_gateway_does_not_begin_if_a_flag_would_protect_nothing() {
    let place = Place::new();
    for (flags, words) in [
        (
            &["--cert", "c", "--key", "k", "--client-ca", "a"][..],
            "--cert is for connections with TLS",
        ),
        (&["--key", "k"], "--key is for connections with TLS"),
        (&["--client-ca", "a"], "add --tls-listen"),
        (&["--pass-certificate"], "--pass-certificate is for"),
        (
            &["--tls-listen", "127.0.0.1:0", "--client-ca", "a"],
            "add --cert FILE and --key FILE",
        ),
        (
            &["--tls-listen", "127.0.0.1:0", "--cert", "c"],
            "add --cert FILE and --key FILE",
        ),
        (
            &[
                "--tls-listen",
                "127.0.0.1:0",
                "--cert",
                "c",
                "--key",
                "k",
                "--pass-certificate",
            ],
            "needs --client-ca FILE",
        ),
        (&["--upstream-cert", "c"], "go together"),
        (&["--tcp", "--cert", "c", "--key", "k"], "--cert cannot be"),
        (&["--tcp", "--client-ca", "a"], "--client-ca cannot be"),
        (&["--tcp", "--upstream-tls"], "--upstream-tls cannot be"),
        (&["--tcp", "--token-file", "t"], "--token-file cannot be"),
        (&["--tcp", "--static", "."], "--static cannot be"),
        (&["--tcp", "--largest-body", "1"], "--largest-body cannot"),
        (&["--tcp", "--kept-body", "1"], "--kept-body"),
        (&["--tcp", "--access-log", "json"], "--access-log"),
        (&["--tcp", "--flink", "zookeeper://h/f/c"], "--flink cannot"),
    ] {
        let all = [&["gateway", "--listen", "127.0.0.1:0"], flags].concat();
        let done = place.ask(&all).assert_code(2);
        assert!(done.err.contains(words), "{flags:?}: {}", done.err);
        assert_eq!(done.out, "", "it listens nowhere");
    }
    // The error is the same if the setting comes from the configuration file.
    config(&place, "[gateway]\ntcp = true\nupstream-tls = true\n");
    let done = place
        .ask(&["gateway", "--listen", "127.0.0.1:0"])
        .assert_code(2);
    assert!(done.err.contains("--upstream-tls cannot"), "{}", done.err);
}
