//! Whether a node of `incumbent run` is ready.

use std::sync::Arc;

use incumbent::Group;
use serde_json::json;

use super::Readiness;
use crate::show;

/// The readiness of a node: it leads or stands by, and the store answers.
pub(crate) fn node(group: &Group) -> Readiness {
    let group = group.clone();
    // The store must have answered within this time.
    let patience = group.timing().lease();
    Arc::new(move || {
        let view = group.observe().view();
        let silence = group.silence();
        let in_touch = silence.is_some_and(|silence| silence < patience);
        let leads = group.is_leading();
        let role = match (in_touch, leads) {
            (false, _) => "not in touch",
            (true, true) => "leader",
            (true, false) => "standby",
        };
        // Set here too, because the recorder was installed after the group had been opened.
        let name = group.name().to_string();
        metrics::gauge!("incumbent_role", "group" => name).set(f64::from(u8::from(leads)));
        let silent = silence.map(|silence| silence.as_secs_f64());
        let leader = show::view_json(&view);
        let report = json!({ "role": role, "backend_silent_seconds": silent, "leader": leader });
        (in_touch, report)
    })
}
