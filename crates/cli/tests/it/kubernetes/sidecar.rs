//! `deploy/kubernetes/sidecar`: an application, and beside it a container that says whether it
//! leads; on the double with its kubelets.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::cluster::has_kubectl;
use super::manifests::manifest;
use super::whole::{Whole, assert_valid, deploy, kustomized, of_kind};
use crate::harness::{Answer, Place, eventually, finished, over_tcp};

/// The container beside the application.
fn sidecar(workload: &Value) -> &Value {
    let containers = &workload["spec"]["template"]["spec"]["containers"];
    let mut containers = containers.as_array().unwrap().iter();
    containers.find(|it| it["name"] == "incumbent").unwrap()
}

fn name(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().unwrap()
}

impl Whole {
    /// The last that the application of a pod has said.
    fn said(&self, pod: &str) -> String {
        let log = self.log(pod);
        log.lines().last().unwrap_or_default().to_owned()
    }

    /// Waits until two applications run, of which one leads; and returns the names of their pods,
    /// that one's first.
    fn one_leads(&self) -> [Value; 2] {
        eventually("one leads and the other stands by", || {
            let mut pods = self.labelled("app.kubernetes.io/name", "app");
            pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
            pods.sort_by_key(|pod| self.said(name(pod)));
            let said: Vec<String> = pods.iter().map(|pod| self.said(name(pod))).collect();
            (said == ["I lead", "I stand by"]).then(|| pods.try_into().ok())?
        })
    }
}

fn get(pod: &Value, path: &str) -> Answer {
    let address = format!("{}:4040", pod["status"]["podIP"].as_str().unwrap());
    over_tcp(&address, "GET", path, &[], "").unwrap()
}

#[test]
fn an_application_is_told_by_the_container_beside_it_whether_it_leads() {
    if !has_kubectl("an_application_is_told_by_the_container_beside_it_whether_it_leads") {
        return;
    }
    let objects = kustomized(&deploy().join("kubernetes/sidecar"));
    assert_valid(&objects);
    let whole = Whole::new(&objects);
    let [leader, standby] = whole.one_leads();
    // Both are ready, and the answers tell them apart.
    let probe = |probe: &str| {
        let path = &sidecar(of_kind(&objects, "Deployment")[0])[probe]["httpGet"]["path"];
        path.as_str().unwrap().to_owned()
    };
    for pod in [&leader, &standby] {
        assert_eq!(get(pod, &probe("readinessProbe")).status, 200);
        assert_eq!(get(pod, &probe("livenessProbe")).status, 200);
        let log = whole.log(&format!("{}.incumbent", name(pod)));
        assert!(!log.contains("the role lacks"), "{log}");
    }
    let of_leader = get(&leader, "/").json();
    assert_eq!(of_leader["name"], name(&leader));
    assert_eq!(get(&standby, "/").json()["name"], name(&leader));
    assert_eq!(get(&leader, "/leaderz").status, 200);
    assert_eq!(get(&standby, "/leaderz").status, 503);
    // Other pods reach it: what steers it takes a token.
    assert_eq!(get(&leader, "/v1/role").status, 401);

    assert!(whole.double.delete("pods", "default", name(&leader)));
    // The one that stood by, or the one that is made in place of the first.
    let next = eventually("another one leads", || {
        let [next, _] = whole.one_leads();
        (name(&next) != name(&leader)).then_some(next)
    });
    assert!(get(&next, "/").json()["epoch"].as_u64() > of_leader["epoch"].as_u64());
}

#[test]
fn a_sidecar_needs_the_rights_of_a_leader_and_no_others() {
    // Which are tested verb by verb.
    let [role, of_base] = ["sidecar/role.yaml", "base/role.yaml"].map(manifest);
    assert_eq!(role["rules"], of_base["rules"]);
    let binding = manifest("sidecar/role-binding.yaml");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    let account = &manifest("sidecar/deployment.yaml")["spec"]["template"]["spec"];
    assert_eq!(
        binding["subjects"][0]["name"],
        account["serviceAccountName"]
    );
}

#[test]
fn a_service_leads_to_the_pod_that_leads_where_that_is_wanted() {
    if !has_kubectl("a_service_leads_to_the_pod_that_leads_where_that_is_wanted") {
        return;
    }
    let place = Place::new();
    let mut copy = Command::new("cp");
    copy.arg("-r").arg(deploy().join("kubernetes/sidecar"));
    copy.arg(place.path(""));
    finished(copy).assert_code(0);
    let overlay = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": "prod",
        "resources": ["sidecar"], "components": ["sidecar/leader-service"],
    });
    fs::write(place.path("kustomization.yaml"), overlay.to_string()).unwrap();
    let objects = kustomized(&place.path(""));
    assert_valid(&objects);
    assert!(of_kind(&objects, "PodDisruptionBudget").is_empty());
    let (service, workload) = (
        of_kind(&objects, "Service")[0],
        of_kind(&objects, "Deployment")[0],
    );
    assert_eq!(
        service["spec"]["selector"],
        workload["spec"]["selector"]["matchLabels"]
    );
    let probe = &sidecar(workload)["readinessProbe"]["httpGet"];
    assert_eq!(*probe, json!({"path": "/leaderz", "port": "sidecar"}));
}
