//! Whether a node of `incumbent run` is ready.

use std::sync::Arc;

use incumbent::Group;
use incumbent::backend::redacted;
use serde_json::json;

use super::server::Readiness;
use crate::show;

/// The readiness of a node: the store answers, and this node leads or could take over. A node whose
/// account may not write is not ready, and the report has the reason.
pub(crate) fn node(group: &Group) -> Readiness {
    let group = group.clone();
    // The store must have answered within this time.
    let patience = group.timing().lease();
    Arc::new(move || {
        let view = group.observe().view();
        let silence = group.silence();
        let in_touch = silence.is_some_and(|silence| silence < patience);
        let leads = group.is_leading();
        let missing = group.missing_rights();
        let role = if !in_touch {
            "not in touch"
        } else if leads {
            "leader"
        } else if missing.is_some() {
            "cannot lead"
        } else {
            "standby"
        };
        // Set here too, because the recorder was installed after the group had been opened.
        let name = group.name().to_string();
        metrics::gauge!("incumbent_role", "group" => name).set(f64::from(u8::from(leads)));
        let silent = silence.map(|silence| silence.as_secs_f64());
        let leader = show::view_json(&view);
        let is_ready = in_touch && missing.is_none();
        let mut report =
            json!({ "role": role, "backend_silent_seconds": silent, "leader": leader });
        if let Some(reason) = missing {
            report["reason"] = redacted(&reason).into();
        }
        (is_ready, report)
    })
}
