//! The annotation that makes a ConfigMap a lock.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{DecodeError, shortened};

/// Who holds the lock of a ConfigMap, as its annotation `control-plane.alpha.kubernetes.io/leader`
/// says.
///
/// The times are of the holder's clock, as it wrote them. They are for people to read: comparing
/// them with another clock proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// The process; `None` if it has released the lock.
    pub holder: Option<String>,
    /// As it is written: `15.000000000` up to Flink 1.20, `PT15S` in 2.x.
    pub lease_duration: Option<String>,
    /// When the holder acquired it.
    pub acquired: Option<String>,
    /// When the holder last renewed it.
    pub renewed: Option<String>,
    /// How often the holder has changed.
    pub transitions: Option<u64>,
}

impl Lock {
    /// The lease duration, if it is written in one of the two known forms.
    pub fn lease(&self) -> Option<Duration> {
        let text = self.lease_duration.as_deref()?;
        let seconds = match text.strip_prefix("PT") {
            Some(iso) => iso_seconds(iso)?,
            None => text.parse().ok()?,
        };
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// The seconds of an ISO 8601 duration of hours, minutes and seconds, after its `PT`.
fn iso_seconds(mut rest: &str) -> Option<f64> {
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    for (unit, each) in [('H', 3600.0), ('M', 60.0), ('S', 1.0)] {
        if let Some((number, after)) = rest.split_once(unit) {
            seconds += number.parse::<f64>().ok()? * each;
            rest = after;
        }
    }
    rest.is_empty().then_some(seconds)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Annotation {
    holder_identity: Option<String>,
    /// A number or a string.
    lease_duration: Option<Value>,
    acquire_time: Option<Value>,
    renew_time: Option<Value>,
    leader_transitions: Option<u64>,
}

/// Decodes the value of the annotation.
///
/// # Errors
///
/// [`DecodeError::Json`] if it is not what an elector writes.
pub fn lock(text: &str) -> Result<Lock, DecodeError> {
    let read: Annotation = serde_json::from_str(text)
        .map_err(|error| DecodeError::Json(shortened(&error.to_string())))?;
    Ok(Lock {
        holder: read.holder_identity.filter(|holder| !holder.is_empty()),
        lease_duration: read.lease_duration.and_then(as_text),
        acquired: read.acquire_time.and_then(as_text),
        renewed: read.renew_time.and_then(as_text),
        transitions: read.leader_transitions,
    })
}

fn as_text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}
