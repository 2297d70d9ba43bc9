//! The table `checkpoints`.

use super::keys::CHECKPOINTS;
use super::read::{Reader, Value};
use crate::Checkpointing;

pub(super) fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Checkpointing> {
    let usual = Checkpointing::default();
    if let Some(flag) = value.get_ref().as_bool() {
        return flag.then_some(usual);
    }
    let Some(table) = value.get_ref().as_table() else {
        let right = "true, or a table, as in [checkpoints] and below it interval = \"10s\"";
        reader.wrong_type("checkpoints", value, right);
        return None;
    };
    let mut table = reader.table("checkpoints.", table, &CHECKPOINTS);
    let interval = table.take("interval");
    let interval = interval.map(|(key, value)| reader.duration(&key, value));
    let timeout = table.take("timeout");
    let timeout = timeout.map(|(key, value)| reader.duration(&key, value));
    let failures = table.take("failures");
    let failures = failures.map(|(key, value)| reader.number(&key, value));
    let keep = table.take("keep");
    let keep = keep.map(|(key, value)| reader.number(&key, value));
    Some(Checkpointing {
        interval_ms: interval.flatten(),
        timeout_ms: timeout.flatten().unwrap_or(usual.timeout_ms),
        failures: failures.flatten().unwrap_or(usual.failures),
        keep: keep.flatten().unwrap_or(usual.keep),
    })
}
