//! The annotation by which ConfigMaps are locks.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DecodeError, shown};

/// Who holds a ConfigMap's lock, as the annotation `control-plane.alpha.kubernetes.io/leader` says.
///
/// The times are of the holder's clock, and told as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// The process; `None` if it has given up.
    pub holder: Option<String>,
    /// As it is written: `15.000000000` up to Flink 1.20, `PT15S` in 2.x.
    pub lease_duration: Option<String>,
    /// When the holder began.
    pub acquired: Option<String>,
    /// When it last renewed.
    pub renewed: Option<String>,
    /// How often the holder changed.
    pub transitions: Option<u64>,
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

/// The lock in the value of the annotation.
///
/// # Errors
///
/// [`DecodeError::Json`] if it is not what an elector writes.
pub fn lock(text: &str) -> Result<Lock, DecodeError> {
    let read: Annotation =
        serde_json::from_str(text).map_err(|error| DecodeError::Json(shown(&error.to_string())))?;
    Ok(Lock {
        holder: read.holder_identity.filter(|holder| !holder.is_empty()),
        lease_duration: read.lease_duration.and_then(told),
        acquired: read.acquire_time.and_then(told),
        renewed: read.renew_time.and_then(told),
        transitions: read.leader_transitions,
    })
}

fn told(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}
