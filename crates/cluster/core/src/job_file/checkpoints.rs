//! The table `checkpoints`.

use super::keys::CHECKPOINTS;
use super::read::{Reader, Value};
use crate::Checkpointing;

pub(super) fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Checkpointing> {
    let Some(table) = value.get_ref().as_table() else {
        let right = "a table, as in [checkpoints] and below it interval = \"10s\", or nothing";
        reader.wrong_type("checkpoints", value, right);
        return None;
    };
    let mut table = reader.table("checkpoints.", table, &CHECKPOINTS);
    let usual = Checkpointing::default();
    let interval = table.take("interval");
    let timeout = table.take("timeout");
    let failures = table.take("failures");
    let keep = table.take("keep");
    // All are read, so that all that is wrong is told.
    let interval_ms = interval.map(|(key, value)| reader.duration(&key, value));
    let timeout_ms = timeout.map(|(key, value)| reader.duration(&key, value));
    let failures = failures.map(|(key, value)| reader.number(&key, value));
    let keep = keep.map(|(key, value)| reader.number(&key, value));
    Some(Checkpointing {
        interval_ms: interval_ms.unwrap_or(usual.interval_ms),
        timeout_ms: timeout_ms.flatten().unwrap_or(usual.timeout_ms),
        failures: failures.flatten().unwrap_or(usual.failures),
        keep: keep.flatten().unwrap_or(usual.keep),
    })
}
