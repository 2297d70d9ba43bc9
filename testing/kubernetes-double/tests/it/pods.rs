//! Pods. The test writes their status, as a kubelet does.

use serde_json::{Value, json};

use crate::api::Api;

crate::claims! {
    a_new_pod_is_pending
    only_the_subresource_changes_the_status
    the_status_can_be_patched_and_put
    a_pod_on_a_node_is_given_time
    a_pod_that_is_fixed_stays_so
}

/// A pod that no scheduler starts.
fn pod(api: &Api) -> Value {
    let spec = json!({
        "schedulerName": "none.invalid", "automountServiceAccountToken": false,
        "containers": [{"name": "main", "image": "none.invalid/none"}],
    });
    json!({"metadata": api.metadata("a"), "spec": spec})
}

async fn a_new_pod_is_pending(api: Api) {
    let mut wanted = pod(&api);
    wanted["status"] = json!({"phase": "Running"});
    let made = api.create("pods", &wanted).await;
    assert_eq!(made["status"]["phase"], "Pending");
    let phase = format!("{}&fieldSelector=status.phase%3DPending", api.mine());
    assert_eq!(
        api.get(&api.path("pods", &phase)).await.is(200).body["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    api.delete(&api.one("pods", "a"), &Value::Null)
        .await
        .is(200);
    api.get(&api.one("pods", "a")).await.is(404);
}

async fn only_the_subresource_changes_the_status(api: Api) {
    let mut made = api.create("pods", &pod(&api)).await;
    made["status"]["phase"] = json!("Running");
    made["metadata"]["labels"]["more"] = json!("x");
    let put = api.put(&api.one("pods", "a"), &made).await.is(200).body;
    assert_eq!(
        (&put["status"]["phase"], &put["metadata"]["labels"]["more"]),
        (&json!("Pending"), &json!("x"))
    );
    let patch = json!({"status": {"phase": "Running"}});
    let patched = api
        .patch(&api.one("pods", "a"), "merge", &patch)
        .await
        .is(200)
        .body;
    assert_eq!(patched["status"]["phase"], "Pending");
}

async fn the_status_can_be_patched_and_put(api: Api) {
    let made = api.create("pods", &pod(&api)).await;
    let status = format!("{}/status", api.one("pods", "a"));
    let patch = json!({"status": {"phase": "Running", "podIP": "10.1.2.3"}, "spec": {"nodeName": "nowhere"}});
    let mut patched = api.patch(&status, "merge", &patch).await.is(200).body;
    assert_eq!(
        (&patched["status"]["phase"], &patched["status"]["podIP"]),
        (&json!("Running"), &json!("10.1.2.3"))
    );
    assert_eq!(patched["spec"], made["spec"]);
    patched["status"]["phase"] = json!("Failed");
    let put = api.put(&status, &patched).await.is(200).body;
    assert_eq!(put["status"]["phase"], "Failed");
    api.put(&status, &patched)
        .await
        .refused_for(409, "Conflict");
    assert_eq!(api.get(&status).await.is(200).body, put);
    let none = json!({"status": {"phase": "Running"}});
    api.patch(
        &format!("{}/status", api.one("pods", "none")),
        "merge",
        &none,
    )
    .await
    .refused_for(404, "NotFound");
}

async fn a_pod_on_a_node_is_given_time(api: Api) {
    let mut wanted = pod(&api);
    wanted["spec"]["nodeName"] = json!(api.name("no-such-node"));
    api.create("pods", &wanted).await;
    let path = api.one("pods", "a");
    let leaving = api.delete(&path, &Value::Null).await.is(200).body;
    assert_eq!(leaving["metadata"]["deletionGracePeriodSeconds"], 30);
    let found = api.get(&path).await.is(200).body;
    assert!(!found["metadata"]["deletionTimestamp"].is_null());
    api.delete(&path, &json!({"gracePeriodSeconds": 0}))
        .await
        .is(200);
    api.get(&path).await.is(404);
}

async fn a_pod_that_is_fixed_stays_so(api: Api) {
    let mut made = api.create("pods", &pod(&api)).await;
    made["spec"]["schedulerName"] = json!("another");
    api.put(&api.one("pods", "a"), &made)
        .await
        .because(&["FieldValueForbidden spec"]);
    let mut none = pod(&api);
    none["metadata"]["name"] = json!(api.name("b"));
    none["spec"]["containers"] = json!([]);
    api.post(&api.path("pods", ""), &none)
        .await
        .because(&["FieldValueRequired spec.containers"]);
}
