//! The output of `incumbent` and kubectl for people.

use serde_json::{Value, json};

use super::cluster::{Cluster, has_kubectl};
use crate::harness::until;

super::claims! {
    status_observe_and_records_work_as_on_files
    kubectl_shows_who_leads_where_and_since_when_and_records_as_json
    a_lease_as_root_shows_the_holder_to_kubectl
}

const WAIT: &str = "exec sleep 1000";

/// Leads at once, and publishes two addresses.
const FLAGS: [&str; 3] = [
    "--ready-now",
    "--publish=web=http://10.0.0.7:8000",
    "--publish=admin=10.0.0.7:9000",
];

fn status_observe_and_records_work_as_on_files(cluster: &Cluster) {
    let count = "$INCUMBENT_EXE records put count 7; $INCUMBENT_EXE records put jobs/17 '{\"state\":\"running\"}'; exec sleep 1000";
    let _a = cluster.node("a", &FLAGS, count);
    let status = cluster.active("a");
    let endpoints = json!({ "web": "http://10.0.0.7:8000", "admin": "10.0.0.7:9000" });
    assert_eq!(
        (&status["epoch"], &status["endpoints"]),
        (&json!(1), &endpoints)
    );
    until("both records are written", || {
        cluster.status()["records"] == 2
    });
    let seen = cluster.ask(&["observe", "--lines", "1"]).assert_code(0);
    assert_eq!(
        (&seen.json()["holder"], &seen.json()["epoch"]),
        (&json!("a"), &json!(1))
    );
    let listed = cluster.ask(&["records", "ls"]).assert_code(0).out;
    let names: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].clone())
        .collect();
    assert_eq!(names, [json!("count"), json!("jobs/17")]);
    let job = cluster.ask(&["records", "get", "jobs/17"]).assert_code(0);
    assert_eq!(job.json(), json!({ "state": "running" }));
    // Only the leader writes, unless a person forces it.
    cluster
        .ask(&["records", "put", "count", "8"])
        .assert_code(4);
    cluster
        .ask(&["records", "put", "--force", "count", "8"])
        .assert_code(0);
    assert_eq!(cluster.ask(&["records", "get", "count"]).json(), json!(8));
}

fn kubectl_shows_who_leads_where_and_since_when_and_records_as_json(cluster: &Cluster) {
    if !has_kubectl("kubectl_shows_who_leads_where_and_since_when_and_records_as_json") {
        return;
    }
    let record = "$INCUMBENT_EXE records put jobs/17 '{\"state\":\"running\"}'; exec sleep 1000";
    let _a = cluster.node("a", &FLAGS, record);
    cluster.active("a");
    until("the record is written", || cluster.status()["records"] == 1);

    let id = &cluster.id;
    let label = format!("app.kubernetes.io/instance={id},app.kubernetes.io/managed-by=incumbent");
    let listed = cluster.kubectl(&["get", "configmaps", "-l", &label, "-o", "name"]);
    let mut names: Vec<String> = listed
        .assert_code(0)
        .out
        .lines()
        .map(str::to_owned)
        .collect();
    names.sort();
    let name = |end: &str| format!("configmap/{id}.default{end}");
    assert_eq!(names, [name("--floor"), name("--root"), name(".jobs.17")]);
    let roots = format!("{label},app.kubernetes.io/component=root,incumbent/group=default");
    let root = cluster
        .kubectl(&["get", "configmaps", "-l", &roots, "-o", "yaml"])
        .assert_code(0);
    let root: Value = serde_saphyr::from_str(&root.out).unwrap();
    let root = &root["items"][0];

    // Other tools expect this form.
    let lock = &root["metadata"]["annotations"]["control-plane.alpha.kubernetes.io/leader"];
    let lock: Value = serde_json::from_str(lock.as_str().unwrap()).unwrap();
    assert_eq!(lock["holderIdentity"], "a");
    assert_eq!(lock["leaseDurationSeconds"], 15);
    // The ConfigMap holds the whole root.
    let body: Value = serde_json::from_str(root["data"]["root.json"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&body["holder"], &body["epoch"], &body["state"]),
        (&json!("a"), &json!(1), &json!("active"))
    );
    assert_eq!(body["endpoints"]["web"], "http://10.0.0.7:8000");
    assert!(body["since"].as_str().is_some_and(|time| time.len() > 10));

    let job = format!("{id}.default.jobs.17");
    let job = cluster
        .kubectl(&["get", "configmap", &job, "-o", "yaml"])
        .assert_code(0);
    let job: Value = serde_saphyr::from_str(&job.out).unwrap();
    let job: Value = serde_json::from_str(job["data"]["record.json"].as_str().unwrap()).unwrap();
    assert_eq!(job["data"], json!({ "state": "running" }));
    assert_eq!(job["seal"]["epoch"], 1);
}

fn a_lease_as_root_shows_the_holder_to_kubectl(cluster: &Cluster) {
    if !has_kubectl("a_lease_as_root_shows_the_holder_to_kubectl") {
        return;
    }
    let address = format!("{}?root=lease", cluster.address());
    let flags = ["--ha", &address, "--ready-now"];
    let _a = cluster.node("a", &flags, WAIT);
    let asked = ["status", "--ha", &address];
    until("a is active", || {
        cluster.ask(&asked).json()["state"] == "active"
    });
    let name = format!("{}.default--root", cluster.id);
    let holder = ["get", "lease", &name, "-o=jsonpath={.spec.holderIdentity}"];
    assert_eq!(cluster.kubectl(&holder).assert_code(0).out, "a");
    // Only one object holds the root.
    assert!(cluster.object("configmaps", &name).is_none());
}
