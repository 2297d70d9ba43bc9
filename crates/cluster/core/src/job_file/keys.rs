//! All keys of a job file: what is known, and what is documented.

use crate::nearest::nearest;

/// A key and what it means.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What its value looks like.
    form: &'static str,
    /// What holds without it.
    default: &'static str,
    meaning: &'static str,
}

const fn key(
    name: &'static str,
    form: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key {
        name,
        form,
        default,
        meaning,
    }
}

/// What stands instead of a default if there is none.
const REQUIRED: &str = "required";

/// The keys at the top of a job file.
pub(super) const TOP: [Key; 13] = [
    key(
        "name",
        "\"count\"",
        "the program's name and six digits of the id",
        "unique among live jobs; letters, digits, -, _ and .",
    ),
    key(
        "tasks",
        "2",
        "1",
        "how many tasks, each a process in a slot; 1 to 1000",
    ),
    key(
        "command",
        "[\"sh\", \"-c\", \"…\"]",
        REQUIRED,
        "the program and its arguments, with templates",
    ),
    key(
        "artifact",
        "\"./count.sh\"",
        "none",
        "a file to upload, or a directory, which becomes one; {artifact} is its path where a task runs",
    ),
    key(
        "env",
        "[env] NAME = \"value\"",
        "empty",
        "variables of each task, with templates",
    ),
    key(
        "env-files",
        "[env-files] NAME = \"/run/secrets/x\"",
        "empty",
        "variables whose values are read from files on the TaskManager's machine: secrets",
    ),
    key(
        "restart",
        "[restart] strategy = \"…\"",
        "exponential-delay",
        "what happens after an attempt has failed",
    ),
    key(
        "fenced",
        "true",
        "false",
        "the job's effects refuse older attempts, so two attempts may overlap",
    ),
    key(
        "isolation-timeout",
        "\"5m\" or \"never\"",
        "\"5m\"",
        "when a TaskManager that is cut off ends tasks that are not fenced; 1s to 30 days, or never",
    ),
    key(
        "endpoints",
        "[\"http\"]",
        "none",
        "names under which the port of a task is reached through any node; at most 16",
    ),
    key(
        "grace",
        "\"10s\"",
        "\"10s\"",
        "how long a task may take to end after SIGTERM; at most 1h",
    ),
    key(
        "checkpoints",
        "true, or [checkpoints] interval = \"10s\"",
        "none",
        "its tasks speak the task contract, and what they know is kept by checkpoints",
    ),
    key(
        "restore",
        "\"count\", \"count@41\" or a savepoint",
        "nothing",
        "the job (at a checkpoint) or the savepoint of this cluster that it starts from",
    ),
];

/// The keys of `checkpoints`.
pub(super) const CHECKPOINTS: [Key; 4] = [
    key(
        "interval",
        "\"10s\"",
        "\"1s\", or what the store of the cluster asks for",
        "between two checkpoints; 10ms to 1 day",
    ),
    key(
        "timeout",
        "\"60s\"",
        "\"60s\"",
        "a checkpoint that is not complete after this long is aborted; 1s to 1 day",
    ),
    key(
        "failures",
        "3",
        "3",
        "so many aborted ones in a row fail the attempt; 1 to 1000",
    ),
    key(
        "keep",
        "3",
        "3",
        "how many completed ones are kept, besides savepoints; 1 to 16",
    ),
];

/// The keys of `restart`.
pub(super) const RESTART: [Key; 6] = [
    key(
        "strategy",
        "\"exponential-delay\"",
        "\"exponential-delay\"",
        "or \"fixed-delay\", or \"none\"",
    ),
    key(
        "attempts",
        "3",
        "no limit",
        "how many restarts; required with fixed-delay",
    ),
    key(
        "delay",
        "\"1s\"",
        "\"1s\"",
        "fixed-delay: the delay before each restart",
    ),
    key(
        "initial-backoff",
        "\"1s\"",
        "\"1s\"",
        "exponential-delay: the first delay; each is twice the one before",
    ),
    key(
        "max-backoff",
        "\"1m\"",
        "\"1m\"",
        "exponential-delay: the longest delay",
    ),
    key(
        "reset-backoff-threshold",
        "\"10m\"",
        "\"10m\"",
        "exponential-delay: after an attempt that ran this long, begin anew",
    ),
];

/// What others call it.
const ELSEWHERE: [(&str, &str); 18] = [
    ("args", "command"),
    ("cmd", "command"),
    ("environment", "env"),
    ("envs", "env"),
    ("instances", "tasks"),
    ("parallelism", "tasks"),
    ("replicas", "tasks"),
    ("workers", "tasks"),
    ("secrets", "env-files"),
    ("jar", "artifact"),
    ("file", "artifact"),
    ("ports", "endpoints"),
    ("restart-strategy", "restart"),
    ("timeout", "isolation-timeout"),
    ("checkpoint", "checkpoints"),
    ("checkpointing", "checkpoints"),
    ("savepoint", "restore"),
    ("retained", "keep"),
];

/// As the key is written here: both `env-files` and `env_files` are understood.
pub(super) fn spelled(key: &str) -> String {
    key.replace('_', "-")
}

/// The answer to a key that is not known.
pub(super) fn unknown(wrong: &str, known: &[Key]) -> String {
    let names = known.iter().map(|key| key.name);
    let wrong = spelled(wrong);
    let elsewhere = ELSEWHERE
        .iter()
        .find(|(other, _)| *other == wrong)
        .map(|(_, ours)| *ours);
    let elsewhere = elsewhere.filter(|ours| names.clone().any(|name| name == *ours));
    match elsewhere.or_else(|| nearest(&wrong, names.clone())) {
        Some(name) => format!("there is no such key; did you mean {name}?"),
        None => format!(
            "there is no such key; there are {}",
            names.collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The documentation of all keys and templates, as text of at most 100 columns.
pub fn reference() -> String {
    let mut text = String::from("A job file is TOML. Only command is required.\n\n");
    table(&mut text, &TOP);
    text.push_str("\nIn [restart], or restart = \"none\" for a strategy without settings:\n\n");
    table(&mut text, &RESTART);
    text.push_str("\nIn [checkpoints], or checkpoints = true for the usual settings:\n\n");
    table(&mut text, &CHECKPOINTS);
    text.push_str(
        "\nIn command and env:\n\n  \
         {rank}                        the place of the task in its gang, from 0\n  \
         {tasks}                       how many tasks the gang has\n  \
         {attempt}                     the number of the attempt, from 1\n  \
         {port}                        the port that is reserved for the task\n  \
         {artifact}                    the path of the artifact\n  \
         {peers:,}                     host:port of each rank, with a comma (or something else) between\n  \
         {peer0.host}, {peer0.port}    where rank 0, or another, can be reached\n  \
         {env.NAME}                    another entry of env\n  \
         {{, }}                        a brace that is meant as such\n\n\
         Durations are written as \"500ms\", \"10s\", \"5m\" or \"1h 30m\".\n",
    );
    text
}

fn table(text: &mut String, keys: &[Key]) {
    for Key {
        name,
        form,
        default,
        meaning,
    } in keys
    {
        text.push_str(&format!("  {name:<24}{form}\n"));
        let without = match *default {
            REQUIRED => "It is required.".to_owned(),
            default => format!("Without it: {default}."),
        };
        text.push_str(&format!("      {meaning}\n      {without}\n"));
    }
}
