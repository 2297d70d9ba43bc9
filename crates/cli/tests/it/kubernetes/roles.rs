//! The roles of `deploy` suffice, and nothing in them is superfluous. If a verb is missing, the log
//! names it.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::manifests::manifest;
use crate::harness::{Done, NOTE, Node, finished, until};

super::claims! {
    the_role_suffices_to_lead_stand_by_look_and_hand_over
    the_role_of_observers_suffices_to_look_and_not_to_write
    the_role_for_a_lease_suffices
    the_role_for_an_owner_suffices
    the_role_for_pods_suffices
    get_and_update_can_be_limited_to_root_and_floor_where_there_are_no_records
    a_verb_that_is_missing_is_named
    a_standby_that_could_not_lead_says_so_while_another_leads
    a_verb_on_leases_that_is_missing_is_named
}

/// A service account, and the path of a kubeconfig that acts as it.
pub(super) struct Account<'a> {
    cluster: &'a Cluster,
    pub(super) kubeconfig: PathBuf,
}

impl<'a> Account<'a> {
    /// An account to which these roles of `deploy/kubernetes` are bound.
    pub(super) fn of_roles(cluster: &'a Cluster, name: &str, roles: &[&str]) -> Self {
        Self::new(
            cluster,
            name,
            roles.iter().map(|path| manifest(path)).collect(),
        )
    }

    fn new(cluster: &'a Cluster, name: &str, roles: Vec<Value>) -> Self {
        let account = format!("{}-{name}", cluster.id);
        let user = format!("system:serviceaccount:{}:{account}", cluster.namespace);
        for (number, mut role) in roles.into_iter().enumerate() {
            let name = format!("{account}-{number}");
            role["metadata"] = json!({ "name": name });
            let binding = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": name },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
                "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": cluster.namespace }],
            });
            let rules = role["rules"].clone();
            cluster.put("roles", role);
            cluster.put("rolebindings", binding);
            for rule in rules.as_array().unwrap() {
                let resource = resource(rule);
                for verb in rule["verbs"].as_array().unwrap() {
                    cluster.wait_for_right(&user, verb.as_str().unwrap(), &resource);
                }
            }
        }
        let kubeconfig = cluster.kubeconfig_of(&user);
        Self {
            cluster,
            kubeconfig,
        }
    }

    fn ask(&self, args: &[&str]) -> Done {
        let mut command = self.cluster.command(args);
        command.env("KUBECONFIG", &self.kubeconfig);
        finished(command)
    }

    /// Starts `incumbent run`.
    fn node(&self, name: &str, flags: &[&str]) -> Node {
        let mut command = self.cluster.command(&["run", "--holder", name]);
        let script = format!("{NOTE} exec sleep 1000");
        command
            .env("KUBECONFIG", &self.kubeconfig)
            .args(flags)
            .args(["--", "sh", "-c", &script]);
        self.cluster.place.start(name, command)
    }
}

/// The resource of a rule, as kubectl names it.
fn resource(rule: &Value) -> String {
    let word = |field: &str| rule[field][0].as_str().unwrap();
    let name = rule["resourceNames"][0]
        .as_str()
        .map(|name| format!("/{name}"));
    let group = Some(word("apiGroups")).filter(|group| !group.is_empty());
    let group = group.map(|group| format!(".{group}"));
    format!(
        "{}{}{}",
        word("resources"),
        group.unwrap_or_default(),
        name.unwrap_or_default()
    )
}

/// The role without one verb, for each of its verbs.
fn lacking_one(role: &Value) -> Vec<(String, Value)> {
    let verbs = role["rules"][0]["verbs"].as_array().unwrap();
    let without = |lacking: &Value| {
        let mut role = role.clone();
        let left = verbs.iter().filter(|verb| *verb != lacking).cloned();
        role["rules"][0]["verbs"] = left.collect();
        (lacking.as_str().unwrap().to_owned(), role)
    };
    verbs.iter().map(without).collect()
}

fn the_role_suffices_to_lead_stand_by_look_and_hand_over(cluster: &Cluster) {
    let account = Account::of_roles(cluster, "web", &["base/role.yaml"]);
    let place = &cluster.place;
    let mut a = account.node("a", &[]);
    place.started(1);
    let b = account.node("b", &[]);
    cluster.stand_by(&["b"]);
    assert_eq!(
        account.ask(&["status"]).assert_code(0).json()["holder"],
        "a"
    );
    account.ask(&["resign"]).assert_code(0);
    assert_eq!(place.started(2).holder, "b");
    let seen = account.ask(&["observe", "--lines", "1"]).assert_code(0);
    assert_eq!(seen.json()["epoch"], 2);
    account
        .ask(&["records", "put", "--force", "n", "1"])
        .assert_code(0);
    assert_eq!(
        account.ask(&["records", "get", "n"]).assert_code(0).json(),
        1
    );
    account
        .ask(&["records", "rm", "--force", "n"])
        .assert_code(0);
    // The epochs continue although the root is gone, because the seals are listed.
    cluster.remove("configmaps", &format!("{}.default--root", cluster.id));
    let third = place.started(3);
    assert!(third.epoch > 2, "{third:?}");
    place.assert_one_at_a_time();
    for log in [a.log(), b.log()] {
        assert!(!log.contains("the role lacks"), "{log}");
    }
    assert!(a.is_running());
}

fn the_role_of_observers_suffices_to_look_and_not_to_write(cluster: &Cluster) {
    let account = Account::of_roles(cluster, "observer", &["components/observer/role.yaml"]);
    let _a = cluster.node(
        "a",
        &["--ready-now"],
        "$INCUMBENT_EXE records put n 1; exec sleep 1000",
    );
    cluster.active("a");
    until("there is a record", || cluster.status()["records"] == 1);
    assert_eq!(
        account.ask(&["status"]).assert_code(0).json()["holder"],
        "a"
    );
    let seen = account.ask(&["observe", "--lines", "1"]).assert_code(0);
    assert!(!seen.err.contains("the role lacks"), "{}", seen.err);
    assert_eq!(
        account.ask(&["records", "get", "n"]).assert_code(0).json(),
        1
    );
    let refused = account.ask(&["records", "put", "--force", "n", "2"]);
    assert_ne!(refused.code, Some(0));
    assert!(
        refused
            .err
            .contains(r#"the role lacks "update" on "configmaps""#),
        "{}",
        refused.err
    );
    assert_eq!(cluster.ask(&["records", "get", "n"]).json(), 1);
}

fn the_role_for_a_lease_suffices(cluster: &Cluster) {
    let roles = ["base/role.yaml", "components/root-lease/role.yaml"];
    let account = Account::of_roles(cluster, "web", &roles);
    let address = format!("{}?root=lease", cluster.address());
    let place = &cluster.place;
    let mut a = account.node("a", &["--ha", &address]);
    place.started(1);
    let b = account.node("b", &["--ha", &address]);
    b.logged("active");
    account.ask(&["resign", "--ha", &address]).assert_code(0);
    assert_eq!(place.started(2).holder, "b");
    account
        .ask(&["observe", "--ha", &address, "--lines", "1"])
        .assert_code(0);
    for log in [a.log(), b.log()] {
        assert!(!log.contains("the role lacks"), "{log}");
    }
    assert!(a.is_running());
}

fn the_role_for_an_owner_suffices(cluster: &Cluster) {
    let mut owner = manifest("base/deployment.yaml");
    let name = format!("{}-web", cluster.id);
    owner["metadata"]["name"] = name.as_str().into();
    owner["spec"]["replicas"] = 0.into();
    cluster.put("deployments", owner);
    let mut role = manifest("components/owner/role.yaml");
    role["rules"][0]["resourceNames"] = json!([name]);
    let account = Account::new(cluster, "web", vec![manifest("base/role.yaml"), role]);
    let address = format!("{}?owner=deployment/{name}", cluster.address());
    let _a = account.node("a", &["--ha", &address]);
    cluster.place.started(1);
    let root = cluster
        .object("configmaps", &format!("{}.default--root", cluster.id))
        .unwrap();
    assert_eq!(root["metadata"]["ownerReferences"][0]["name"], *name);
    // An account that may not read the owner gets an error, and writes nothing without an owner.
    let account = Account::of_roles(cluster, "other", &["base/role.yaml"]);
    let b = account.node("b", &["--ha", &address, "--group", "other"]);
    names_what_is_missing(&b, "get", "deployments");
    assert!(
        cluster
            .object("configmaps", &format!("{}.other--root", cluster.id))
            .is_none()
    );
}

fn the_role_for_pods_suffices(cluster: &Cluster) {
    let address = format!("{}?pod=on", cluster.address());
    let pod = |name: &str| {
        let name = format!("{}-{name}", cluster.id);
        // The spec is that of the manifests, for namespaces with strict rules. No scheduler starts
        // the pod.
        let mut spec = manifest("base/deployment.yaml")["spec"]["template"]["spec"].take();
        let fields = spec.as_object_mut().unwrap();
        fields.remove("serviceAccountName");
        fields.insert("schedulerName".into(), "nobody".into());
        let object = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": spec });
        cluster.put("pods", object);
        name
    };
    let node = |account: &Account, name: &str, group: &str| {
        let log = cluster.place.path(&format!("{name}.words"));
        std::fs::write(&log, "").unwrap();
        let mut command = cluster.command(&["run", "--holder", name, "--ha", &address]);
        command
            .env("KUBECONFIG", &account.kubeconfig)
            .env("POD_NAME", pod(name))
            .env("TERMINATION_LOG", log)
            .args(["--group", group, "--ready-now", "--", "sleep", "1000"]);
        cluster.place.start(name, command)
    };
    let roles = ["base/role.yaml", "components/pod-proof/role.yaml"];
    let account = Account::of_roles(cluster, "web", &roles);
    let _a = node(&account, "a", "enough");
    somebody_is_active(cluster, &address, "enough");
    let b = node(&account, "b", "enough");
    b.logged("active");

    let account = Account::of_roles(cluster, "other", &roles[..1]);
    let _c = node(&account, "c", "less");
    somebody_is_active(cluster, &address, "less");
    let d = node(&account, "d", "less");
    names_what_is_missing(&d, "get", "pods");
    // By now `b` has had the same time to report a missing right.
    let log = b.log();
    assert!(!log.contains("the role lacks"), "{log}");
}

fn somebody_is_active(cluster: &Cluster, address: &str, group: &str) {
    until("somebody is active", || {
        let status = cluster.ask(&["status", "--ha", address, "--group", group]);
        status.json()["state"] == "active"
    });
}

fn get_and_update_can_be_limited_to_root_and_floor_where_there_are_no_records(cluster: &Cluster) {
    let mut role = manifest("base/role.yaml");
    let names = ["root", "floor"].map(|item| format!("{}.default--{item}", cluster.id));
    role["rules"] = json!([
        { "apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch", "create"] },
        { "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "update"], "resourceNames": names },
    ]);
    let account = Account::new(cluster, "web", vec![role]);
    let place = &cluster.place;
    let mut a = account.node("a", &[]);
    place.started(1);
    let b = account.node("b", &[]);
    cluster.stand_by(&["b"]);
    a.kill();
    assert_eq!(place.started(2).holder, "b");
    account.ask(&["status"]).assert_code(0);
    for log in [a.log(), b.log()] {
        assert!(!log.contains("the role lacks"), "{log}");
    }
    place.assert_one_at_a_time();
}

fn a_verb_that_is_missing_is_named(cluster: &Cluster) {
    for (verb, role) in lacking_one(&manifest("base/role.yaml")) {
        let account = Account::new(cluster, &verb, vec![role]);
        // Each verb gets its own group, so that each node creates something.
        let node = account.node(&verb, &["--group", &verb, "--ready-now"]);
        names_what_is_missing(&node, &verb, "configmaps");
    }
}

/// Earlier, a role without `update` was noticed only when the leader had died.
fn a_standby_that_could_not_lead_says_so_while_another_leads(cluster: &Cluster) {
    let _a = cluster.node("a", &["--ready-now"], "exec sleep 1000");
    let leader = cluster.active("a");
    for verb in ["create", "update"] {
        let role = lacking_one(&manifest("base/role.yaml"))
            .into_iter()
            .find(|(lacking, _)| lacking == verb);
        let account = Account::new(cluster, verb, vec![role.unwrap().1]);
        let standby = account.node(verb, &[]);
        names_what_is_missing(&standby, verb, "configmaps");
    }
    assert_eq!(cluster.active("a")["epoch"], leader["epoch"]);
}

fn a_verb_on_leases_that_is_missing_is_named(cluster: &Cluster) {
    let address = format!("{}?root=lease", cluster.address());
    for (verb, role) in lacking_one(&manifest("components/root-lease/role.yaml")) {
        let account = Account::new(cluster, &verb, vec![manifest("base/role.yaml"), role]);
        let node = account.node(&verb, &["--ha", &address, "--group", &verb, "--ready-now"]);
        names_what_is_missing(&node, &verb, "leases");
    }
}

fn names_what_is_missing(node: &Node, verb: &str, resource: &str) {
    let line = node.logged("the role lacks");
    // Some lines quote the text.
    let line = line.replace('\\', "");
    let named = format!("the role lacks {verb:?} on {resource:?} in namespace");
    assert!(line.contains(&named), "{line}");
}
