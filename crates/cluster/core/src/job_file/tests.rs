use std::collections::BTreeMap;

use super::{LARGEST_FILE, check, parse, reference};
use crate::{Artifact, Checkpointing, Isolation, JobSpec, LARGEST_SPEC, Restart};

const HELLO: &str = include_str!("../../../../../examples/jobs/hello.toml");
const BYTEWAX: &str = include_str!("../../../../../examples/jobs/bytewax.toml");
const COUNT: &str = include_str!("../../../../../examples/jobs/count.toml");
const COUNT_RUST: &str = include_str!("../../../../../examples/jobs/count-rust.toml");
const WEB: &str = include_str!("../../../../../examples/jobs/web.toml");
const TORCHRUN: &str = include_str!("../../../../../examples/jobs/torchrun.toml");

/// Everything that there is, and a value that must not be seen.
const ALL: &str = r#"
name = "all"
tasks = 0x2
artifact = "./count.sh"
command = ["{artifact}", '--peers={peers:;}', """
--first={peer0.host}"""]
isolation_timeout = "never"
endpoints = ["http", "metrics"]
grace = "1m 30s"
env.PASSWORD = "hunter2, isn't it"
env.URL = "postgres://me:{env.PASSWORD}@db/{rank}"
env_files = { TOKEN = "/run/secrets/token" }

restore = "orders@41"

[restart]
strategy = "fixed-delay"
delay = "500ms"
attempts = 3

[checkpoints]
interval = "10s"
timeout = "2m"
failures = 5
keep = 16
"#;

/// What is told about a file, line by line.
fn told(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(file) => panic!("{text} is {file:?}"),
        Err(bad) => bad.problems.iter().map(ToString::to_string).collect(),
    }
}

/// What is told about a file with a good command and these lines.
fn told_of(lines: &str) -> String {
    let told = told(&format!("command = [\"true\"]\n{lines}"));
    assert_eq!(told.len(), 1, "{lines}: {told:?}");
    told[0].clone()
}

#[test]
fn every_key_is_read() {
    let file = parse(ALL).unwrap();
    assert_eq!(file.artifact.as_deref(), Some("./count.sh"));
    let text = str::to_owned;
    let expected = JobSpec {
        name: text("all"),
        tasks: 2,
        command: vec![
            text("{artifact}"),
            text("--peers={peers:;}"),
            text("--first={peer0.host}"),
        ],
        artifact: None,
        env: BTreeMap::from([
            (text("PASSWORD"), text("hunter2, isn't it")),
            (text("URL"), text("postgres://me:{env.PASSWORD}@db/{rank}")),
        ]),
        env_files: BTreeMap::from([(text("TOKEN"), text("/run/secrets/token"))]),
        restart: Restart::FixedDelay {
            delay_ms: 500,
            attempts: 3,
        },
        isolation: Isolation::Exclusive { timeout_ms: None },
        grace_ms: 90_000,
        endpoints: vec![text("http"), text("metrics")],
        checkpoints: Some(Checkpointing {
            interval_ms: Some(10_000),
            timeout_ms: 120_000,
            failures: 5,
            keep: 16,
        }),
        restore: None,
    };
    assert_eq!(file.restore.as_deref(), Some("orders@41"));
    assert_eq!(file.spec, expected);
}

#[test]
fn the_least_file_has_the_defaults_of_a_specification() {
    let file = parse("command = [\"true\"]").unwrap();
    let json: JobSpec = serde_json::from_str(r#"{"name":"","command":["true"]}"#).unwrap();
    assert_eq!(file.spec, json);
}

#[test]
fn the_examples_are_read() {
    for (text, name, tasks) in [
        (HELLO, "hello", 2),
        (BYTEWAX, "bytewax", 2),
        (TORCHRUN, "train", 2),
        (COUNT, "count", 2),
        (COUNT_RUST, "count-rust", 2),
        (WEB, "web", 3),
    ] {
        let mut file = parse(text).unwrap_or_else(|bad| panic!("{name}: {bad}"));
        // What it will be is known once it is uploaded.
        file.spec.artifact = file.artifact.map(|artifact| Artifact {
            digest: "0".repeat(64),
            name: artifact.rsplit('/').next().unwrap_or_default().to_owned(),
            size: 0,
        });
        assert_eq!((file.spec.name.as_str(), file.spec.tasks), (name, tasks));
        assert_eq!(check(&file.spec), []);
    }
}

#[test]
fn checkpoints_may_be_said_in_a_word() {
    let checkpoints = |lines: &str| {
        let file = parse(&format!("command = [\"true\"]\n{lines}")).unwrap();
        file.spec.checkpoints
    };
    let usual = Some(Checkpointing::default());
    assert_eq!(checkpoints("checkpoints = true"), usual);
    assert_eq!(checkpoints("[checkpoints]"), usual);
    assert_eq!(checkpoints("checkpoints = false"), None);
}

#[test]
fn wrong_checkpoints_are_answered_with_what_is_right() {
    for (lines, answer) in [
        (
            "checkpoints = \"10s\"",
            "line 2, column 15: checkpoints: it is a text, and should be true, or a table, as in [checkpoints] and below it interval = \"10s\"",
        ),
        (
            "checkpointing = true",
            "line 2, column 1: checkpointing: there is no such key; did you mean checkpoints?",
        ),
        (
            "[checkpoints]\nintervall = \"1s\"",
            "line 3, column 1: checkpoints.intervall: there is no such key; did you mean interval?",
        ),
        (
            "[checkpoints]\ninterval = \"1ms\"",
            "line 3, column 12: checkpoints.interval: it should be 10ms to 1day",
        ),
        (
            "[checkpoints]\nkeep = 17",
            "line 3, column 8: checkpoints.keep: it should be 1 to 16, and is 17",
        ),
        (
            "[checkpoints]\nfailures = 0",
            "line 3, column 12: checkpoints.failures: it should be 1 to 1000, and is 0",
        ),
    ] {
        assert_eq!(told_of(lines), answer);
    }
}

#[test]
fn a_job_without_checkpoints_restores_nothing() {
    let mut spec = parse("name = \"x\"\ncommand = [\"true\"]").unwrap().spec;
    let savepoint = crate::SavepointId::new(1);
    spec.restore = Some(crate::checkpoint::RestoreFrom::Savepoint { savepoint });
    let problems = check(&spec);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].field(), "restore");
    spec.checkpoints = Some(Checkpointing::default());
    assert_eq!(check(&spec), []);
}

#[test]
fn restart_strategies_have_their_names_in_flink() {
    let restart = |lines: &str| {
        parse(&format!("command = [\"true\"]\n{lines}"))
            .unwrap()
            .spec
            .restart
    };
    assert_eq!(restart("restart = \"none\""), Restart::None);
    assert_eq!(
        restart("restart = \"exponential-delay\""),
        Restart::default()
    );
    assert_eq!(restart("[restart]"), Restart::default());
    assert_eq!(
        restart("[restart]\nmax-backoff = \"5s\"\nattempts = 9"),
        Restart::ExponentialDelay {
            initial_ms: 1_000,
            max_ms: 5_000,
            reset_after_ms: 600_000,
            attempts: Some(9)
        }
    );
    assert_eq!(
        restart("[restart]\nstrategy = \"fixed-delay\"\nattempts = 0"),
        Restart::FixedDelay {
            delay_ms: 1_000,
            attempts: 0
        }
    );
}

#[test]
fn a_wrong_file_is_answered_with_line_key_and_what_is_right() {
    for (lines, answer) in [
        (
            "taks = 2",
            "line 2, column 1: taks: there is no such key; did you mean tasks?",
        ),
        (
            "parallelism = 2",
            "line 2, column 1: parallelism: there is no such key; did you mean tasks?",
        ),
        (
            "colour = 2",
            "line 2, column 1: colour: there is no such key; there are name, tasks, command, artifact, env, env-files, restart, fenced, isolation-timeout, endpoints, grace, checkpoints, restore",
        ),
        (
            "tasks = \"2\"",
            "line 2, column 9: tasks: it is a text, and should be a whole number, as in 2",
        ),
        (
            "tasks = -1",
            "line 2, column 9: tasks: it should be a whole number, as in 2, and not negative or above 4294967295",
        ),
        (
            "tasks = 0",
            "line 2, column 9: tasks: it should be 1 to 1000, and is 0",
        ),
        (
            "tasks = 1001",
            "line 2, column 9: tasks: it should be 1 to 1000, and is 1001",
        ),
        (
            "name = \"a b\"",
            "line 2, column 8: name: it should be 1 to 100 letters, digits, -, _ or ., and begin with a letter or digit",
        ),
        (
            "name = \"0123456789abcdef0123456789abcdef\"",
            "line 2, column 8: name: 32 hexadecimal digits are an id; choose a name for people",
        ),
        (
            "grace = 10",
            "line 2, column 9: grace: it is a whole number, and should be a duration in quotes, as in \"500ms\", \"10s\" or \"5m\"",
        ),
        (
            "grace = \"10\"",
            "line 2, column 9: grace: it should be a duration in quotes, as in \"500ms\", \"10s\" or \"5m\"",
        ),
        (
            "grace = \"2h\"",
            "line 2, column 9: grace: it should be 0s to 1h",
        ),
        (
            "fenced = \"yes\"",
            "line 2, column 10: fenced: it is a text, and should be true or false, without quotes",
        ),
        (
            "fenced = true\nisolation-timeout = \"5m\"",
            "line 3, column 21: isolation-timeout: a fenced job has none: its attempts may overlap; leave out one of the two",
        ),
        (
            "isolation-timeout = \"0s\"",
            "line 2, column 21: isolation-timeout: it should be 1s to 30days",
        ),
        (
            "isolation-timeout = \"1s\"\nisolation_timeout = \"1s\"",
            "line 3, column 1: isolation_timeout: isolation-timeout is there twice, with - and with _",
        ),
        (
            "endpoints = [\"-a\"]",
            "line 2, column 14: endpoints[0]: it should be 1 to 32 letters, digits, -, _ or ., and begin with a letter or digit",
        ),
        (
            "endpoints = [\"a\", \"a\"]",
            "line 2, column 19: endpoints[1]: it is there twice",
        ),
        (
            "env = [\"A=b\"]",
            "line 2, column 7: env: it is an array, and should be a table, as in [env] and below it NAME = \"value\"",
        ),
        (
            "[env]\nPORT = 80",
            "line 3, column 8: env.PORT: it is a whole number, and should be a text in quotes",
        ),
        (
            "[env]\nINCUMBENT_RANK = \"1\"",
            "line 3, column 18: env.INCUMBENT_RANK: what begins with INCUMBENT_ is set by the TaskManager",
        ),
        (
            "[env]\n1A = \"1\"",
            "line 3, column 6: env.(a name): a variable is named by letters, digits and _, and does not begin with a digit",
        ),
        (
            "[env]\nA = \"x\\u0000\"",
            "line 3, column 5: env.A: it contains a zero byte, which no program can be given",
        ),
        (
            "[env-files]\nA = \"secret\"",
            "line 3, column 5: env-files.A: it should be the whole path of a file on the TaskManager's machine, as in \"/run/secrets/x\"",
        ),
        (
            "[env-files]\nA = \"/a\"\n[env]\nA = \"b\"",
            "line 3, column 5: env-files.A: it is in env, too; a variable has one value",
        ),
        (
            "restart = \"fixed\"",
            "line 2, column 11: restart: there is no such strategy; there are exponential-delay, fixed-delay, none",
        ),
        (
            "restart = \"fixed-dealy\"",
            "line 2, column 11: restart: there is no such strategy; did you mean fixed-delay?",
        ),
        (
            "restart = \"fixed-delay\"",
            "line 2, column 11: restart.attempts: it is missing; strategy fixed-delay needs to know how many restarts, as in attempts = 3",
        ),
        (
            "[restart]\nstrategy = \"none\"\ndelay = \"1s\"",
            "line 4, column 9: restart.delay: strategy none has no such setting",
        ),
        (
            "[restart]\ninitial_backoff = \"2m\"",
            "line 2, column 1: restart.max-backoff: it should not be below initial-backoff",
        ),
        (
            "[restart]\nmax-backof = \"2m\"",
            "line 3, column 1: restart.max-backof: there is no such key; did you mean max-backoff?",
        ),
        (
            "[env]\nA = \"äö{rnak}\"",
            "line 3, column 8: env.A: character 3: there is no such template; did you mean {rank}? A brace that is meant as such is written {{",
        ),
        (
            "[env]\nA = '''\n\nx{rank'''",
            "line 5, column 2: env.A: character 3: the brace is not closed; a brace that is meant as such is written {{",
        ),
        (
            "[env]\nA = \"\\t{rank\"",
            "line 3, column 5: env.A: character 2: the brace is not closed; a brace that is meant as such is written {{",
        ),
        (
            "[env]\nA = \"{env.B}\"\nB = \"{env.A}\"",
            "line 4, column 6: env.B: character 1: these entries refer to each other in a loop: A → B → A",
        ),
        (
            "[env]\nA = \"{artifact}\"",
            "line 3, column 6: env.A: character 1: the job has no artifact; name the file with artifact = \"…\"",
        ),
        (
            "[env]\nA = hunter2",
            "line 3, column 5: this is not TOML: string values must be quoted, expected literal string",
        ),
    ] {
        assert_eq!(told_of(lines), answer, "{lines}");
    }
}

#[test]
fn a_text_in_the_place_of_a_key_is_not_repeated() {
    for text in [
        "\"hunter2 x\" = 1",
        "[env]\n\"hunter2 x\" = 1",
        "[restart]\n'hunter2 x' = 1",
    ] {
        for told in told(text) {
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}

#[test]
fn a_wrong_command_is_answered_with_the_right_form() {
    let right = "an array of the program and its arguments, as in [\"python3\", \"train.py\"]; a line for a shell is \
                 [\"sh\", \"-c\", \"…\"]";
    for (text, answer) in [
        ("command = \"sleep 1\"", format!("line 1, column 11: command: it is a text, and should be {right}")),
        ("", format!("line 1, column 1: command: it is missing; it is {right}")),
        ("command = []", "line 1, column 11: command: it is empty; name a program, as in [\"python3\", \"train.py\"]".into()),
        ("command = [\"\"]", "line 1, column 12: command[0]: it is empty; it should name a program".into()),
        ("command = [\"a\", 1]", "line 1, column 17: command[1]: it is a whole number, and should be a text in quotes".into()),
        ("command = [\"awk\", '{print $1}']", "line 1, column 20: command[1]: character 1: there is no such template; there are {rank}, {tasks}, {attempt}, {port}, {artifact}, {peers:,}, {peer0.host}, {peer0.port} and {env.NAME}. A brace that is meant as such is written {{".into()),
    ] {
        assert_eq!(told(text), [answer], "{text}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let text = "nmae = \"x\"\ntasks = 0\ncommand = \"x\"\ngrace = \"1d\"\n[env]\n\"1\" = \"\"\n";
    let keys: Vec<_> = parse(text)
        .unwrap_err()
        .problems
        .into_iter()
        .map(|problem| problem.key)
        .collect();
    let expected =
        ["nmae", "tasks", "command", "grace", "env.(a name)"].map(|key| Some(key.to_owned()));
    assert_eq!(keys, expected);
    // Many are cut short.
    let many: String = (0..50).map(|number| format!("x{number} = 1\n")).collect();
    let shown = parse(&many).unwrap_err().to_string();
    assert_eq!(shown.lines().count(), 21);
    assert!(shown.ends_with("and 31 more"), "{shown}");
}

#[test]
fn what_is_too_large_is_refused() {
    let large = format!("command = [\"x\"]\n# {}", "x".repeat(LARGEST_FILE));
    assert_eq!(
        told(&large),
        [format!(
            "line 1, column 1: the file has more than {LARGEST_FILE} bytes, which is the limit"
        )]
    );
    let large = told_of(&format!("[env]\nA = \"{}\"", "x".repeat(LARGEST_SPEC)));
    assert!(large.contains("env: the job takes"), "{large}");
    assert!(large.contains("and 65536 is the limit"), "{large}");
    let large = format!("command = [\"x\", \"{}\"]", "x".repeat(LARGEST_SPEC));
    assert!(told(&large)[0].contains("command: the job takes"));
    let many: String = (0..1001)
        .map(|number| format!("V{number} = \"\"\n"))
        .collect();
    let many = told_of(&format!("[env]\n{many}"));
    assert!(many.contains("it has more than 1000 entries"), "{many}");
    // Deep, and long in one line.
    for text in [
        "[".repeat(100_000),
        "a.".repeat(100_000),
        format!("command = {}", "[".repeat(50_000)),
    ] {
        assert!(parse(&text).is_err());
    }
    let braces = format!("command = [\"x\", \"{}\"]", "{rank}".repeat(10_000));
    parse(&braces).unwrap();
}

#[test]
fn a_specification_from_elsewhere_is_checked_too() {
    let spec = |json: &str| check(&serde_json::from_str(json).unwrap());
    let keys = |json: &str| {
        spec(json)
            .into_iter()
            .map(|problem| problem.key)
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(r#"{"name":"x","command":["true"]}"#), [""; 0]);
    let empty = keys(r#"{"name":"","command":[],"tasks":0}"#);
    assert_eq!(empty, ["name", "tasks", "command"]);
    let artifact =
        r#"{"name":"x","command":["{artifact}"],"artifact":{"digest":"X","name":"../x","size":1}}"#;
    assert_eq!(keys(artifact), ["artifact.digest", "artifact.name"]);
    assert_eq!(
        keys(r#"{"name":"x","command":["{artifact}"]}"#),
        ["command[0]"]
    );
    let checkpoints = r#"{"name":"x","command":["x"],
        "checkpoints":{"interval_ms":9,"timeout_ms":999,"failures":0,"keep":17}}"#;
    assert_eq!(
        keys(checkpoints),
        [
            "checkpoints.interval",
            "checkpoints.timeout",
            "checkpoints.failures",
            "checkpoints.keep"
        ]
    );
    assert_eq!(
        keys(r#"{"name":"x","command":["x"],"checkpoints":{}}"#),
        [""; 0]
    );
}

#[test]
fn the_reference_has_every_key_and_is_no_wider_than_a_page() {
    use super::keys::{CHECKPOINTS, RESTART, TOP};
    let reference = reference();
    for key in TOP.iter().chain(&RESTART).chain(&CHECKPOINTS) {
        assert!(
            reference.contains(&format!("  {}", key.name)),
            "{}",
            key.name
        );
    }
    let widest = reference.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?}\n{reference}");
}

/// Damage of all kinds, drawn from a seed.
fn damaged(text: &str, seed: u64) -> String {
    let mut state = seed;
    let mut draw = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=draw(3) {
        let at = draw(characters.len());
        let length = draw(12).min(characters.len() - at);
        match draw(6) {
            0 => drop(characters.drain(at..at + length)),
            1 => characters.insert(
                at,
                [
                    '"', '\'', '{', '}', '[', ']', '=', '\n', '\\', '#', '.', '\0', 'ü', '𝄞',
                ][draw(14)],
            ),
            2 => characters.truncate(at),
            3 => {
                let copied: Vec<char> = characters[at..at + length].to_vec();
                let to = draw(characters.len());
                characters.splice(to..to, copied);
            }
            4 => characters[at..at + length].reverse(),
            _ => {
                let line = "\n[env]\nX = \"{env.PASSWORD}{\"\n[restart]\n";
                characters.splice(at..at, line.chars().take(draw(40)));
            }
        }
        if characters.is_empty() {
            break;
        }
    }
    characters.into_iter().collect()
}

#[test]
fn damaged_files_are_answered_and_no_secret_is_repeated() {
    let mut refused = 0;
    for seed in 0..20_000 {
        let text = damaged(ALL, seed);
        let Err(bad) = parse(&text) else { continue };
        refused += 1;
        let shown = format!("{bad} {bad:?}");
        for part in ["hunter2", "isn't"] {
            assert!(!shown.contains(part), "seed {seed}: {shown}\n{text}");
        }
        assert!(!bad.problems.is_empty(), "seed {seed}");
        let lines = text.lines().count() + 1;
        for problem in &bad.problems {
            assert!(
                (1..=lines).contains(&problem.line),
                "seed {seed}: {problem}"
            );
            assert!(!problem.why.is_empty(), "seed {seed}");
        }
    }
    assert!(refused > 10_000, "{refused}");
}
