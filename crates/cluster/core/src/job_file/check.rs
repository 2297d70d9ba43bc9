//! What is wrong with a specification, wherever it comes from.

use serde::Serialize;

use super::{Hidden, JobFile, Problem};
use crate::checkpoint::MOST_CHECKPOINTS;
use crate::template::{BadTemplate, Place, Templates};
use crate::{
    Artifact, Isolation, JobId, JobSpec, LARGEST_SPEC, LONGEST_JOB_NAME, MOST_TASKS, Restart,
};

/// Most entries of `env` and `env_files` together. What needs more reads a file.
pub const MOST_VARIABLES: usize = 1000;

/// Most endpoints of a job: they are names of one port.
pub const MOST_ENDPOINTS: usize = 16;

/// Longest name of an endpoint: it is a part of an address.
const LONGEST_ENDPOINT: usize = 32;

/// Longest name of a variable.
const LONGEST_VARIABLE: usize = 128;

/// Longest name of an artifact. File systems allow twice as much, and caches add to it.
const LONGEST_FILE_NAME: usize = 128;

/// Longest delay before a restart, in milliseconds: a day. A job that waits longer has ended.
pub const LONGEST_DELAY: u64 = 86_400_000;

/// Longest grace, in milliseconds: an hour. So long can a cancellation take.
pub const LONGEST_GRACE: u64 = 3_600_000;

/// Shortest isolation timeout, in milliseconds: below it, a lost packet would end tasks.
pub const SHORTEST_ISOLATION: u64 = 1_000;

/// Longest isolation timeout, in milliseconds: 30 days. Longer is `never`.
pub const LONGEST_ISOLATION: u64 = 30 * 86_400_000;

/// Shortest interval of checkpoints, in milliseconds: each is a write to the store.
pub const SHORTEST_INTERVAL: u64 = 10;

/// Shortest timeout of a checkpoint, in milliseconds: below it, a slow disk would fail the attempt.
pub const SHORTEST_TIMEOUT: u64 = 1_000;

/// Longest interval and longest timeout of checkpoints, in milliseconds: a day.
pub const LONGEST_CHECKPOINT: u64 = 86_400_000;

/// Most aborted checkpoints in a row that a job may ask for: after so many, nothing comes of it.
pub const MOST_FAILURES: u32 = 1000;

/// What is known beside a specification.
#[derive(Clone, Copy)]
pub(super) struct Given {
    /// It may still get a name.
    pub(super) may_be_nameless: bool,
    /// It has an artifact, or will get one.
    pub(super) has_artifact: bool,
    /// All keys were read, so what a template refers to is not just misspelled.
    pub(super) is_all_read: bool,
}

impl Given {
    pub(super) fn by(file: &JobFile, is_all_read: bool) -> Self {
        Self {
            may_be_nameless: true,
            has_artifact: file.artifact.is_some(),
            is_all_read,
        }
    }
}

/// Everything that is wrong with a specification. To be asked by every node that creates a job.
///
/// No problem repeats a value of the environment.
pub fn check(spec: &JobSpec) -> Vec<Problem> {
    let has_artifact = spec.artifact.is_some();
    all(
        spec,
        Given {
            may_be_nameless: false,
            has_artifact,
            is_all_read: true,
        },
    )
}

pub(super) fn all(spec: &JobSpec, given: Given) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    if !(spec.name.is_empty() && given.may_be_nameless) {
        found.name(&spec.name);
    }
    if spec.tasks == 0 || spec.tasks > MOST_TASKS {
        found.add(
            "tasks",
            format!("it should be 1 to {MOST_TASKS}, and is {}", spec.tasks),
        );
    }
    found.command(&spec.command);
    if let Some(artifact) = &spec.artifact {
        found.artifact(artifact);
    }
    let is_of_size = found.environment(spec) && found.size(spec);
    found.restart(&spec.restart);
    found.isolation(spec.isolation);
    found.duration("grace", spec.grace_ms, 0, LONGEST_GRACE);
    found.endpoints(&spec.endpoints);
    found.checkpoints(spec);
    // They would take their time with what is far too large.
    if is_of_size && given.is_all_read {
        found.templates(spec, given.has_artifact);
    }
    found.0
}

struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, key: impl Into<String>, why: impl Into<String>) {
        self.0.push(Problem {
            key: key.into(),
            why: why.into(),
            hidden_key: None,
            at: None,
        });
    }

    fn name(&mut self, name: &str) {
        if !is_word(name, LONGEST_JOB_NAME) {
            self.add("name", word(LONGEST_JOB_NAME));
        } else if name.parse::<JobId>().is_ok() {
            self.add(
                "name",
                "32 hexadecimal digits are an id; choose a name for people",
            );
        }
    }

    fn command(&mut self, command: &[String]) {
        match command.first() {
            None => self.add(
                "command",
                "it is empty; name a program, as in [\"python3\", \"train.py\"]",
            ),
            Some(program) if program.is_empty() => {
                self.add("command[0]", "it is empty; it should name a program");
            }
            Some(_) => {}
        }
        for (number, argument) in command.iter().enumerate() {
            if argument.contains('\0') {
                self.add(format!("command[{number}]"), NUL);
            }
        }
    }

    fn artifact(&mut self, artifact: &Artifact) {
        let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if artifact.digest.len() != 64 || !artifact.digest.bytes().all(lower_hex) {
            self.add(
                "artifact.digest",
                "it should be a SHA-256 in 64 hexadecimal digits of lower case",
            );
        }
        let name = artifact.name.as_str();
        let leads_elsewhere =
            name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']);
        if leads_elsewhere || name.len() > LONGEST_FILE_NAME {
            self.add(
                "artifact.name",
                "it should be the name of a file, without a directory and a dot before it",
            );
        }
    }

    /// Whether there are not too many.
    fn environment(&mut self, spec: &JobSpec) -> bool {
        if spec.env.len() + spec.env_files.len() > MOST_VARIABLES {
            self.add(
                "env",
                format!("it has more than {MOST_VARIABLES} entries, which is the limit"),
            );
            return false;
        }
        for (name, value) in &spec.env {
            self.variable("env", name);
            if value.contains('\0') {
                self.of_variable("env", name, NUL);
            }
        }
        for (name, path) in &spec.env_files {
            self.variable("env-files", name);
            if !path.starts_with('/') || path.contains('\0') {
                let why = "it should be the whole path of a file on the TaskManager's machine, as in \"/run/secrets/x\"";
                self.of_variable("env-files", name, why);
            }
            if spec.env.contains_key(name) {
                self.of_variable(
                    "env-files",
                    name,
                    "it is in env, too; a variable has one value",
                );
            }
        }
        true
    }

    fn variable(&mut self, table: &str, name: &str) {
        if !is_variable(name) {
            let why =
                "a variable is named by letters, digits and _, and does not begin with a digit";
            self.of_variable(table, name, why);
        } else if name.starts_with("INCUMBENT_") {
            let why = "what begins with INCUMBENT_ is set by the TaskManager";
            self.of_variable(table, name, why);
        }
    }

    fn of_variable(&mut self, table: &str, name: &str, why: &str) {
        let why = why.to_owned();
        self.0.push(at_variable(table, name, None, why));
    }

    fn restart(&mut self, restart: &Restart) {
        match restart {
            Restart::ExponentialDelay {
                initial_ms,
                max_ms,
                reset_after_ms,
                attempts: _,
            } => {
                self.duration("restart.initial-backoff", *initial_ms, 1, LONGEST_DELAY);
                self.duration("restart.max-backoff", *max_ms, 1, LONGEST_DELAY);
                self.duration(
                    "restart.reset-backoff-threshold",
                    *reset_after_ms,
                    1,
                    LONGEST_DELAY,
                );
                if initial_ms > max_ms {
                    self.add(
                        "restart.max-backoff",
                        "it should not be below initial-backoff",
                    );
                }
            }
            Restart::FixedDelay {
                delay_ms,
                attempts: _,
            } => {
                self.duration("restart.delay", *delay_ms, 0, LONGEST_DELAY);
            }
            Restart::None => {}
        }
    }

    fn isolation(&mut self, isolation: Isolation) {
        if let Isolation::Exclusive {
            timeout_ms: Some(timeout_ms),
        } = isolation
        {
            self.duration(
                "isolation-timeout",
                timeout_ms,
                SHORTEST_ISOLATION,
                LONGEST_ISOLATION,
            );
        }
    }

    fn duration(&mut self, key: &str, found_ms: u64, least_ms: u64, most_ms: u64) {
        if (least_ms..=most_ms).contains(&found_ms) {
            return;
        }
        let shown = |ms| humantime::format_duration(std::time::Duration::from_millis(ms));
        self.add(
            key,
            format!("it should be {} to {}", shown(least_ms), shown(most_ms)),
        );
    }

    fn endpoints(&mut self, endpoints: &[String]) {
        if endpoints.len() > MOST_ENDPOINTS {
            self.add(
                "endpoints",
                format!("it has more than {MOST_ENDPOINTS}, which is the limit"),
            );
            return;
        }
        for (number, name) in endpoints.iter().enumerate() {
            let key = format!("endpoints[{number}]");
            if !is_word(name, LONGEST_ENDPOINT) {
                self.add(key, word(LONGEST_ENDPOINT));
            } else if endpoints[..number].contains(name) {
                self.add(key, "it is there twice");
            }
        }
    }

    fn checkpoints(&mut self, spec: &JobSpec) {
        let Some(wanted) = &spec.checkpoints else {
            if spec.restore.is_some() {
                let why = "a job without checkpoints starts with nothing; add [checkpoints], or leave this out";
                self.add("restore", why);
            }
            return;
        };
        if let Some(interval_ms) = wanted.interval_ms {
            let key = "checkpoints.interval";
            self.duration(key, interval_ms, SHORTEST_INTERVAL, LONGEST_CHECKPOINT);
        }
        let key = "checkpoints.timeout";
        self.duration(key, wanted.timeout_ms, SHORTEST_TIMEOUT, LONGEST_CHECKPOINT);
        let most_kept = u32::try_from(MOST_CHECKPOINTS).unwrap_or(u32::MAX);
        for (key, found, most) in [
            ("checkpoints.failures", wanted.failures, MOST_FAILURES),
            ("checkpoints.keep", wanted.keep, most_kept),
        ] {
            if !(1..=most).contains(&found) {
                self.add(key, format!("it should be 1 to {most}, and is {found}"));
            }
        }
    }

    /// Whether the specification fits into a record.
    fn size(&mut self, spec: &JobSpec) -> bool {
        let size = json_size(spec);
        if size > LARGEST_SPEC {
            let parts = [
                ("command", json_size(&spec.command)),
                ("env", json_size(&spec.env)),
                ("env-files", json_size(&spec.env_files)),
                ("endpoints", json_size(&spec.endpoints)),
            ];
            let largest = parts.into_iter().max_by_key(|(_, size)| *size);
            let (key, of_it) = largest.expect("there are parts");
            let why = format!(
                "the job takes {size} bytes as JSON, {of_it} of them here, and {LARGEST_SPEC} is the limit; put what is \
                 large into a file, and name it as the artifact"
            );
            self.add(key, why);
        }
        size <= LARGEST_SPEC
    }

    fn templates(&mut self, spec: &JobSpec, has_artifact: bool) {
        let env = spec
            .env
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let bad = match Templates::parse(&spec.command, env) {
            Ok(templates) => templates.check(spec.tasks, has_artifact),
            Err(bad) => bad,
        };
        self.0.extend(bad.into_iter().map(problem));
    }
}

fn json_size(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

fn problem(bad: BadTemplate) -> Problem {
    let BadTemplate { place, at, fault } = bad;
    let why = format!("character {}: {fault}", at + 1);
    let at = Some(at);
    match place {
        Place::Argument(_) => Problem {
            key: place.to_string(),
            why,
            hidden_key: None,
            at,
        },
        Place::Env(name) => at_variable("env", &name, at, why),
    }
}

/// A problem of an entry. Its name is shown only if it is one: a text that slipped into the place
/// of a name may be a secret.
fn at_variable(table: &str, name: &str, at: Option<usize>, why: String) -> Problem {
    let key = format!("{table}.{name}");
    if is_variable(name) {
        return Problem {
            key,
            why,
            hidden_key: None,
            at,
        };
    }
    Problem {
        key: format!("{table}.(a name)"),
        why,
        hidden_key: Some(Hidden(key)),
        at,
    }
}

fn is_word(text: &str, longest: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let begins = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    begins && text.len() <= longest && text.bytes().all(allowed)
}

fn word(longest: usize) -> String {
    format!(
        "it should be 1 to {longest} letters, digits, -, _ or ., and begin with a letter or digit"
    )
}

/// Why a text cannot be given to a program.
const NUL: &str = "it contains a zero byte, which no program can be given";

/// Whether this can be the name of a variable.
pub(crate) fn is_variable(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = name
        .bytes()
        .next()
        .is_some_and(|byte| !byte.is_ascii_digit());
    begins && name.len() <= LONGEST_VARIABLE && name.bytes().all(allowed)
}
