//! Deployments, ReplicaSets and the garbage collector: one look each. Pure but for ids and times.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::store::resource::{RESOURCES, Resource};
use crate::store::{Key, Store};
use crate::world::now;

/// Looks once at everything.
pub(super) fn look(store: &mut Store) {
    collect(store);
    for (key, deployment) in all(store, "deployments") {
        deploy(store, &key, &deployment);
    }
    for (key, set) in all(store, "replicasets") {
        replicate(store, &key, &set);
    }
}

fn all(store: &Store, plural: &str) -> Vec<(Key, Arc<Value>)> {
    let resource = Resource::of_plural(plural).expect("it is one of ours");
    let all = store.list(resource, "");
    all.map(|(key, object)| (key.clone(), object.clone()))
        .collect()
}

/// Deletes what names owners of which none is there any more.
fn collect(store: &mut Store) {
    let mut ids = BTreeSet::new();
    let mut owned = Vec::new();
    for resource in &RESOURCES {
        for (key, object) in store.list(resource, "") {
            ids.insert(
                object["metadata"]["uid"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            );
            if object["metadata"]["ownerReferences"].is_array() {
                owned.push((key.clone(), object.clone()));
            }
        }
    }
    for (key, object) in owned {
        let owners = object["metadata"]["ownerReferences"].as_array();
        let lives = |owner: &Value| ids.contains(owner["uid"].as_str().unwrap_or_default());
        if !owners.into_iter().flatten().any(lives) {
            delete(store, &key, &object);
        }
    }
}

/// A pod on a node is marked, as its kubelet has to end it; all else goes at once.
fn delete(store: &mut Store, key: &Key, object: &Value) {
    let is_placed = object["spec"]["nodeName"]
        .as_str()
        .is_some_and(|node| !node.is_empty());
    if key.resource != "pods" || !is_placed {
        store.commit(key.clone(), None);
        return;
    }
    if object["metadata"]["deletionTimestamp"].is_null() {
        let mut leaving = object.clone();
        let grace = object["spec"]["terminationGracePeriodSeconds"]
            .as_i64()
            .unwrap_or(30);
        leaving["metadata"]["deletionTimestamp"] = json!(now().time);
        leaving["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        store.commit(key.clone(), Some(leaving));
    }
}

/// The ReplicaSet of the present template has all pods; older ones have none.
fn deploy(store: &mut Store, key: &Key, deployment: &Value) {
    let template = &deployment["spec"]["template"];
    let mut hasher = DefaultHasher::new();
    template.to_string().hash(&mut hasher);
    let hash = format!("{:08x}", hasher.finish() & 0xffff_ffff);
    let name = format!("{}-{hash}", key.name);
    let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    let sets = owned(store, "replicasets", deployment);
    for (other, set) in &sets {
        let count = if other.name == name { wanted } else { 0 };
        if set["spec"]["replicas"] != count {
            let mut after = (**set).clone();
            after["spec"]["replicas"] = json!(count);
            store.commit(other.clone(), Some(after));
        }
    }
    if !sets.iter().any(|(other, _)| other.name == name) {
        let mut template = template.clone();
        template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
        let mut selector = deployment["spec"]["selector"].clone();
        selector["matchLabels"]["pod-template-hash"] = json!(hash);
        let set = json!({
            "kind": "ReplicaSet", "apiVersion": "apps/v1",
            "metadata": metadata(&name, &key.namespace, &template["metadata"]["labels"], ("apps/v1", "Deployment"), deployment),
            "spec": {"replicas": wanted, "selector": selector, "template": template},
            "status": {},
        });
        let sets = Resource::of_plural("replicasets").expect("it is one of ours");
        store.commit(Key::new(sets, &key.namespace, &name), Some(set));
    }
    let ready: i64 = (sets.iter())
        .map(|(_, set)| set["status"]["readyReplicas"].as_i64().unwrap_or(0))
        .sum();
    let status = json!({
        "observedGeneration": deployment["metadata"]["generation"], "replicas": ready,
        "updatedReplicas": ready, "readyReplicas": ready, "availableReplicas": ready,
    });
    report(store, key, status);
}

/// As many pods as are wanted.
fn replicate(store: &mut Store, key: &Key, set: &Value) {
    let pods = owned(store, "pods", set);
    let stays = |pod: &Value| {
        pod["metadata"]["deletionTimestamp"].is_null()
            && !matches!(
                pod["status"]["phase"].as_str(),
                Some("Succeeded" | "Failed")
            )
    };
    let living: Vec<_> = pods.iter().filter(|(_, pod)| stays(pod)).collect();
    let wanted = set["spec"]["replicas"].as_u64().unwrap_or(1) as usize;
    for (pod_key, pod) in living.iter().skip(wanted) {
        delete(store, pod_key, pod);
    }
    for _ in living.len()..wanted {
        let template = &set["spec"]["template"];
        let name = format!("{}-{}", key.name, &now().uid[..5]);
        let mut pod = json!({
            "kind": "Pod", "apiVersion": "v1",
            "metadata": metadata(&name, &key.namespace, &template["metadata"]["labels"], ("apps/v1", "ReplicaSet"), set),
            "spec": template["spec"],
            "status": {"phase": "Pending", "qosClass": "BestEffort"},
        });
        pod["metadata"]["generation"] = json!(1);
        if let Some(annotations) = template["metadata"]["annotations"].as_object() {
            pod["metadata"]["annotations"] = json!(annotations);
        }
        let pods = Resource::of_plural("pods").expect("it is one of ours");
        store.commit(Key::new(pods, &key.namespace, &name), Some(pod));
    }
    let is_ready = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        conditions
            .into_iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "True")
    };
    let ready = living.iter().filter(|(_, pod)| is_ready(pod)).count();
    report(
        store,
        key,
        json!({"replicas": living.len(), "readyReplicas": ready}),
    );
}

/// Objects that this one keeps.
fn owned(store: &Store, plural: &str, owner: &Value) -> Vec<(Key, Arc<Value>)> {
    let uid = &owner["metadata"]["uid"];
    let is_kept = |object: &Value| {
        let owners = object["metadata"]["ownerReferences"]
            .as_array()
            .into_iter()
            .flatten();
        owners
            .into_iter()
            .any(|it| it["uid"] == *uid && it["controller"] == true)
    };
    let mut all = all(store, plural);
    all.retain(|(_, object)| is_kept(object));
    all
}

fn metadata(
    name: &str,
    namespace: &str,
    labels: &Value,
    (version, kind): (&str, &str),
    owner: &Value,
) -> Value {
    let now = now();
    json!({
        "name": name, "namespace": namespace, "uid": now.uid, "creationTimestamp": now.time,
        "labels": labels,
        "ownerReferences": [{
            "apiVersion": version, "kind": kind, "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
        }],
    })
}

fn report(store: &mut Store, key: &Key, status: Value) {
    if let Some(object) = store.get(key)
        && object["status"] != status
    {
        let mut after = (*object).clone();
        after["status"] = status;
        store.commit(key.clone(), Some(after));
    }
}
