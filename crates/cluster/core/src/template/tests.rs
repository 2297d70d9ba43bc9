use super::{BadTemplate, Fault, LONGEST_EXPANDED, Place, Templates, Values};
use crate::{Attempt, Rank};

fn parsed(command: &[&str], env: &[(&str, &str)]) -> Result<Templates, Vec<BadTemplate>> {
    let command: Vec<String> = command.iter().map(|text| (*text).to_owned()).collect();
    Templates::parse(&command, env.iter().copied())
}

fn expanded(text: &str) -> String {
    let peers = ["a.example:7001", "10.0.0.2:7002", "[fd00::3]:7003"].map(str::to_owned);
    let values = Values {
        rank: Rank(1),
        tasks: 3,
        attempt: Attempt(7),
        port: 7002,
        peers: &peers,
        artifact: Some("/tasks/count.sh"),
    };
    let expanded = parsed(&[text], &[("ONE", "one"), ("TWO", "{env.ONE}{env.ONE}")]).unwrap();
    assert_eq!(expanded.check(3, true), []);
    expanded.expand(&values).unwrap().command.remove(0)
}

#[test]
fn each_template_is_replaced() {
    for (text, expected) in [
        ("", ""),
        ("plain $HOME ü", "plain $HOME ü"),
        ("{rank}/{tasks}", "1/3"),
        ("--attempt={attempt}", "--attempt=7"),
        ("{port}{port}", "70027002"),
        ("{artifact}", "/tasks/count.sh"),
        ("{peers}", "a.example:7001,10.0.0.2:7002,[fd00::3]:7003"),
        ("{peers:;}", "a.example:7001;10.0.0.2:7002;[fd00::3]:7003"),
        (
            "{peers: → }",
            "a.example:7001 → 10.0.0.2:7002 → [fd00::3]:7003",
        ),
        ("{peers::}", "a.example:7001:10.0.0.2:7002:[fd00::3]:7003"),
        ("{peer0.host}:{peer0.port}", "a.example:7001"),
        ("{peer2.host} {peer2.port}", "fd00::3 7003"),
        ("{env.TWO}", "oneone"),
        ("{{rank}}", "{rank}"),
        ("{{{rank}}}", "{1}"),
        ("}}{{", "}{"),
        ("${{HOME}} awk '{{print $1}}'", "${HOME} awk '{print $1}'"),
    ] {
        assert_eq!(expanded(text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let unknown = |nearest| Fault::Unknown { nearest };
    for (text, at, fault) in [
        ("a {", 2, Fault::Unclosed),
        ("{rank", 0, Fault::Unclosed),
        ("{ra{nk}", 0, Fault::Unclosed),
        ("{{{", 2, Fault::Unclosed),
        ("ü}", 1, Fault::Unopened),
        ("{rank}}", 6, Fault::Unopened),
        ("üü{rnak}", 2, unknown(Some("{rank}"))),
        ("{{x}} {Rank}", 6, unknown(Some("{rank}"))),
        ("{peer}", 0, unknown(Some("{peers:,}"))),
        ("{peer0}", 0, unknown(Some("{peer0.host}"))),
        ("{peer00.host}", 0, unknown(Some("{peer0.host}"))),
        ("{peer1.hots}", 0, unknown(Some("{peer0.host}"))),
        ("{peer99999999999.host}", 0, unknown(None)),
        ("{world_size}", 0, unknown(Some("{tasks}"))),
        ("{print $1}", 0, unknown(None)),
        ("{}", 0, unknown(None)),
        ("{peers:}", 0, Fault::Separator),
        ("{peers:12345678901234567}", 0, Fault::Separator),
        ("{env.THREE}", 0, Fault::NoEnv { nearest: None }),
        (
            "{env.ON}",
            0,
            Fault::NoEnv {
                nearest: Some("ONE".to_owned()),
            },
        ),
        ("{env.not a name}", 0, unknown(None)),
    ] {
        let bad = parsed(&["x", text], &[("ONE", "one")]).unwrap_err();
        let place = Place::Argument(1);
        assert_eq!(bad, [BadTemplate { place, at, fault }], "{text}");
    }
}

#[test]
fn what_the_gang_does_not_have_is_told_at_submission() {
    let templates = parsed(&["{artifact}"], &[("A", "x{peer3.host}{peer1.port}")]).unwrap();
    assert_eq!(templates.check(4, true), []);
    let told: Vec<_> = templates
        .check(2, false)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "command[0], character 1: the job has no artifact; name the file with artifact = \"…\"",
            "env.A, character 2: the job has 2 tasks, so its peers are peer0 to peer1",
        ]
    );
}

#[test]
fn a_loop_is_named() {
    for (env, expected) in [
        (&[("A", "{env.A}")][..], "A → A"),
        (&[("A", "{env.B}"), ("B", "x{env.A}")], "A → B → A"),
        (
            &[
                ("A", "{env.B}"),
                ("B", "{env.C}"),
                ("C", "{env.D}{env.B}"),
                ("D", ""),
            ],
            "B → C → B",
        ),
    ] {
        let bad = parsed(&["x"], env).unwrap_err();
        let [bad] = bad.as_slice() else {
            panic!("{bad:?}")
        };
        assert!(matches!(bad.fault, Fault::Loop { .. }), "{bad}");
        assert!(
            bad.to_string().ends_with(&format!("in a loop: {expected}")),
            "{bad}"
        );
    }
}

#[test]
fn a_long_chain_is_no_loop_and_needs_no_stack() {
    let names: Vec<String> = (0..1000).map(|number| format!("V{number}")).collect();
    let mut env: Vec<(String, String)> = Vec::new();
    for pair in names.windows(2) {
        env.push((pair[0].clone(), format!("{{env.{}}}", pair[1])));
    }
    env.push((names[999].clone(), "end".to_owned()));
    let entries = env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let templates = Templates::parse(&["{env.V0}".to_owned()], entries).unwrap();
    let values = Values {
        rank: Rank(0),
        tasks: 1,
        attempt: Attempt(1),
        port: 1,
        peers: &["a:1".to_owned()],
        artifact: None,
    };
    assert_eq!(templates.expand(&values).unwrap().command, ["end"]);
}

#[test]
fn entries_that_double_each_other_are_refused_at_submission() {
    let names: Vec<String> = (0..64).map(|number| format!("V{number:02}")).collect();
    let values: Vec<String> = names
        .iter()
        .map(|name| format!("{{env.{name}}}{{env.{name}}}"))
        .collect();
    let mut env = vec![("V00", "x")];
    for (name, value) in names[1..].iter().zip(&values) {
        env.push((name, value));
    }
    let templates = parsed(&["x"], &env).unwrap();
    let bad = templates.check(1, false);
    assert!(
        matches!(
            bad.as_slice(),
            [BadTemplate {
                fault: Fault::TooLong,
                ..
            }]
        ),
        "{bad:?}"
    );

    // Each is short enough, and there are too many.
    let long = "x".repeat(LONGEST_EXPANDED - 10);
    let mut env = vec![("LONG", long.as_str())];
    env.extend(names.iter().map(|name| (name.as_str(), "{env.LONG}")));
    let bad = parsed(&["x"], &env).unwrap().check(1, false);
    assert!(
        matches!(
            bad.as_slice(),
            [BadTemplate {
                fault: Fault::TooMuch,
                ..
            }]
        ),
        "{bad:?}"
    );
}

#[test]
fn no_message_repeats_the_text() {
    for text in [
        "{hunter2",
        "hunter2}",
        "{hunter2}",
        "{peers:hunter2hunter2hunter2}",
        "{env.hunter2}",
    ] {
        for bad in parsed(&["x"], &[("A", text)]).unwrap_err() {
            let shown = format!("{bad} {bad:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

#[test]
fn a_gang_of_any_size_is_checked_in_little_room() {
    let templates = parsed(&["{peers:,}"], &[]).unwrap();
    assert_eq!(templates.check(u32::MAX, false), []);
}
