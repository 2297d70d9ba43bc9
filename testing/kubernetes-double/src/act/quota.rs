//! Quotas: how many pods a namespace may have. Pure.

use serde_json::Value;

use crate::request::status::Refusal;
use crate::store::Store;
use crate::store::resource::Resource;

/// The names under which a quota limits the number of pods.
const NAMES: [&str; 2] = ["pods", "count/pods"];

/// Refuses a pod that would be too many, as the real server does. Other quotas are not known.
pub(crate) fn check(
    store: &Store,
    resource: &Resource,
    namespace: &str,
    name: &str,
) -> Result<(), Refusal> {
    if resource.kind != "Pod" {
        return Ok(());
    }
    let quotas = Resource::of_plural("resourcequotas").expect("there are quotas");
    for (key, quota) in store.list(quotas, namespace) {
        for limited in NAMES {
            let Some(limit) = number(&quota["spec"]["hard"][limited]) else {
                continue;
            };
            let used = used(store, resource, namespace);
            if used < limit {
                continue;
            }
            let quota = &key.name;
            let what = format!(
                "exceeded quota: {quota}, requested: {limited}=1, used: {limited}={used}, limited: {limited}={limit}"
            );
            return Err(Refusal::forbidden("", resource.plural, name, &what));
        }
    }
    Ok(())
}

/// Pods that have not ended.
fn used(store: &Store, pods: &Resource, namespace: &str) -> u64 {
    let all = store.list(pods, namespace);
    let count = all
        .filter(|(_, pod)| {
            !matches!(
                pod["status"]["phase"].as_str(),
                Some("Succeeded" | "Failed")
            )
        })
        .count();
    count as u64
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}
