//! The table `restart`.

use super::keys::RESTART;
use super::read::{Reader, Taken, Value};
use crate::Restart;
use crate::nearest::nearest;

/// The strategies, by their names in Flink.
const STRATEGIES: [&str; 3] = ["exponential-delay", "fixed-delay", "none"];

/// The delay of `fixed-delay` without one.
const FIXED_DELAY_MS: u64 = 1_000;

pub(super) fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Restart> {
    if value.get_ref().as_str().is_some() {
        return match strategy(reader, "restart", value)? {
            "fixed-delay" => needs_attempts(reader, value),
            "none" => Some(Restart::None),
            _ => Some(Restart::default()),
        };
    }
    let Some(table) = value.get_ref().as_table() else {
        let right = "a table, as in [restart] and below it strategy = \"fixed-delay\"";
        reader.wrong_type("restart", value, right);
        return None;
    };
    let mut table = reader.table("restart.", table, &RESTART);
    let strategy = match table.take("strategy") {
        Some((key, value)) => strategy(reader, &key, value)?,
        None => "exponential-delay",
    };
    let attempts = table.take("attempts");
    let attempts = attempts.map(|(key, value)| reader.number(&key, value));
    match strategy {
        "fixed-delay" => {
            let delay_ms = delay(reader, &mut table, "delay", FIXED_DELAY_MS);
            rest(reader, &mut table, strategy);
            let Some(attempts) = attempts else {
                return needs_attempts(reader, value);
            };
            Some(Restart::FixedDelay {
                delay_ms: delay_ms?,
                attempts: attempts?,
            })
        }
        "none" => {
            rest(reader, &mut table, strategy);
            if attempts.is_some() {
                reader.problem(value.span(), "restart.attempts", "strategy none has none");
            }
            Some(Restart::None)
        }
        _ => {
            let Restart::ExponentialDelay {
                initial_ms,
                max_ms,
                reset_after_ms,
                ..
            } = Restart::default()
            else {
                return None;
            };
            let initial_ms = delay(reader, &mut table, "initial-backoff", initial_ms);
            let max_ms = delay(reader, &mut table, "max-backoff", max_ms);
            let reset_after_ms = delay(
                reader,
                &mut table,
                "reset-backoff-threshold",
                reset_after_ms,
            );
            rest(reader, &mut table, strategy);
            Some(Restart::ExponentialDelay {
                initial_ms: initial_ms?,
                max_ms: max_ms?,
                reset_after_ms: reset_after_ms?,
                attempts: attempts.flatten(),
            })
        }
    }
}

fn strategy(reader: &mut Reader<'_>, key: &str, value: &Value<'_>) -> Option<&'static str> {
    let all = STRATEGIES.join(", ");
    let text = reader.text(key, value, &format!("one of {all}, in quotes"))?;
    let found = STRATEGIES.iter().find(|strategy| **strategy == text);
    if found.is_none() {
        let why = match nearest(&text, STRATEGIES) {
            Some(nearest) => format!("there is no such strategy; did you mean {nearest}?"),
            None => format!("there is no such strategy; there are {all}"),
        };
        reader.problem(value.span(), key, why);
    }
    found.copied()
}

fn delay(
    reader: &mut Reader<'_>,
    table: &mut Taken<'_, '_>,
    name: &str,
    default: u64,
) -> Option<u64> {
    match table.take(name) {
        Some((key, value)) => reader.duration(&key, value),
        None => Some(default),
    }
}

/// Settings that belong to another strategy.
fn rest(reader: &mut Reader<'_>, table: &mut Taken<'_, '_>, strategy: &str) {
    for setting in RESTART {
        if let Some((key, value)) = table.take(setting.name) {
            let why = format!("strategy {strategy} has no such setting");
            reader.problem(value.span(), &key, why);
        }
    }
}

fn needs_attempts(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Restart> {
    let why =
        "it is missing; strategy fixed-delay needs to know how many restarts, as in attempts = 3";
    reader.problem(value.span(), "restart.attempts", why);
    None
}
