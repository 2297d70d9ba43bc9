//! What `incumbent purge` deletes, and with which rights.

use serde_json::json;

use super::cluster::Cluster;
use super::roles::Account;
use crate::harness::finished;

super::claims! {
    purge_removes_its_own_cluster_and_nothing_else
    purge_needs_delete_and_says_so
}

/// Creates a root, a floor and a record.
fn leave_something(cluster: &Cluster) {
    let put = [
        "run",
        "--ready-now",
        "--",
        "sh",
        "-c",
        "$INCUMBENT_EXE records put count 7",
    ];
    cluster.ask(&put).assert_code(0);
    assert_eq!(cluster.status()["records"], 1);
}

fn purge_removes_its_own_cluster_and_nothing_else(cluster: &Cluster) {
    leave_something(cluster);
    let id = &cluster.id;
    // The foreign object even has our labels and a name like ours.
    let foreign = format!("{id}.default.other");
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": foreign }, "data": { "record.json": "{}" },
    });
    cluster.put("configmaps", object);
    let names = ["--root", "--floor", ".count"].map(|end| format!("{id}.default{end}"));
    assert!(
        names
            .iter()
            .all(|name| cluster.object("configmaps", name).is_some())
    );
    cluster.ask(&["purge", "--yes"]).assert_code(0);
    assert!(
        names
            .iter()
            .all(|name| cluster.object("configmaps", name).is_none())
    );
    assert!(cluster.object("configmaps", &foreign).is_some());
    assert_eq!(cluster.status()["state"], "none");
}

fn purge_needs_delete_and_says_so(cluster: &Cluster) {
    leave_something(cluster);
    let purge = |account: &Account| {
        let mut command = cluster.command(&["purge", "--yes"]);
        command.env("KUBECONFIG", &account.kubeconfig);
        finished(command)
    };
    let leader = Account::of_roles(cluster, "leader", &["base/role.yaml"]);
    let refused = purge(&leader).assert_code(7);
    let lacking = r#"the role lacks "delete" on "configmaps""#;
    assert!(refused.err.contains(lacking), "{}", refused.err);
    assert_eq!(cluster.status()["records"], 1);

    let remover = Account::of_roles(cluster, "remover", &["components/purge/role.yaml"]);
    purge(&remover).assert_code(0);
    assert_eq!(cluster.status()["state"], "none");
}
