//! The manifests of `deploy/kubernetes` can be built and applied, and `incumbent` understands them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::cluster::{Cluster, has_kubectl};
use crate::harness::{Node, finished, over_tcp, until};

super::claims! {
    the_deployment_runs_as_its_manifest_says
    readiness_tells_the_leader_from_a_standby
}

/// Where the manifests are.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy/kubernetes")
        .canonicalize()
        .unwrap()
}

/// A file with one object.
pub(super) fn manifest(path: &str) -> Value {
    let path = directory().join(path);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap()
}

/// The first container of the pods of a Deployment or StatefulSet.
fn container(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]["containers"][0]
}

/// Replaces `$(NAME)` by the value of an earlier variable, as the kubelet does.
fn environment(container: &Value, pod: &Pod) -> Vec<(String, String)> {
    let mut known: Vec<(String, String)> = Vec::new();
    for variable in container["env"].as_array().unwrap() {
        let value = match &variable["valueFrom"]["fieldRef"]["fieldPath"] {
            Value::String(field) => pod.field(field),
            _ => expanded(variable["value"].as_str().unwrap(), &known),
        };
        known.push((variable["name"].as_str().unwrap().to_owned(), value));
    }
    known
}

fn expanded(text: &str, known: &[(String, String)]) -> String {
    let one =
        |text: String, (name, value): &(String, String)| text.replace(&format!("$({name})"), value);
    known.iter().fold(text.to_owned(), one)
}

/// The variables of a pod that the kubelet sets.
struct Pod {
    name: &'static str,
}

impl Pod {
    fn field(&self, field: &str) -> String {
        match field {
            "metadata.name" => self.name.into(),
            "metadata.uid" => "5b3d7a3a-8f0e-4d0c-9d5e-0d6a1c2b3e4f".into(),
            "status.podIP" => "127.0.0.1".into(),
            _ => panic!("the manifests do not use {field}"),
        }
    }
}

/// Starts the command of the Deployment's pod, with its own ports: a pod has its own address, but a
/// process here has not.
fn start(cluster: &Cluster, pod: Pod) -> Node {
    let deployment = manifest("base/deployment.yaml");
    let container = container(&deployment);
    let environment = environment(container, &pod);
    let words = |field: &str| {
        let words = container[field].as_array().unwrap().iter();
        words
            .map(|word| expanded(word.as_str().unwrap(), &environment))
            .collect::<Vec<_>>()
    };
    let mut arguments = words("command");
    assert_eq!(arguments.remove(0), "incumbent");
    assert_eq!(arguments.pop().unwrap(), "--");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = cluster.command(&arguments);
    command
        .envs(environment.iter().map(|(name, value)| (name, value)))
        // The namespace comes from the kubeconfig, just as it comes from the service account in a
        // pod. The cluster must be the one of this test.
        .env("INCUMBENT_HA", ha(cluster, &environment))
        .args([
            "--status-listen=127.0.0.1:0",
            "--ready-now",
            "--",
            "sleep",
            "1000",
        ]);
    cluster.place.start(pod.name, command)
}

fn ha(cluster: &Cluster, environment: &[(String, String)]) -> String {
    let ha = environment.iter().find(|(name, _)| name == "INCUMBENT_HA");
    let ha = &ha.expect("the manifest has it").1;
    let options = ha
        .strip_prefix("kubernetes:///web?")
        .expect("the cluster web in the pod's own namespace");
    format!("{}?{options}", cluster.address())
}

fn the_deployment_runs_as_its_manifest_says(cluster: &Cluster) {
    let _a = start(cluster, Pod { name: "web-1" });
    let status = cluster.active("web-1");
    assert_eq!(
        status["endpoints"],
        json!({ "web": "http://127.0.0.1:8080" })
    );
}

fn readiness_tells_the_leader_from_a_standby(cluster: &Cluster) {
    let deployment = manifest("base/deployment.yaml");
    let probe = |name: &str| {
        container(&deployment)[name]["httpGet"]["path"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let a = start(cluster, Pod { name: "web-1" });
    cluster.active("web-1");
    let b = start(cluster, Pod { name: "web-2" });
    for (node, role) in [(&a, "leader"), (&b, "standby")] {
        let line = node.logged("serving /metrics");
        let address = line.split("address=").nth(1).unwrap().trim();
        until(&format!("{} is the {role}", node.name), || {
            let answer = over_tcp(address, "GET", &probe("readinessProbe"), &[], "").unwrap();
            answer.status == 200 && answer.json()["role"] == role
        });
        let answer = over_tcp(address, "GET", &probe("livenessProbe"), &[], "").unwrap();
        assert_eq!(answer.status, 200);
    }
}

#[test]
fn a_pod_has_time_to_hand_over() {
    for path in ["base/deployment.yaml", "statefulset/statefulset.yaml"] {
        let workload = manifest(path);
        let environment = environment(container(&workload), &Pod { name: "web-0" });
        let stop = environment
            .iter()
            .find(|(name, _)| name == "INCUMBENT_STOP_TIMEOUT");
        let stop: u64 = stop.unwrap().1.strip_suffix('s').unwrap().parse().unwrap();
        let grace = workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
            .as_u64()
            .unwrap();
        // One request, which takes at most a third of the lease of 15 s, plus some reserve.
        assert!(
            grace >= stop + 5 + 2,
            "{path}: {grace} s of grace, {stop} s for the command"
        );
    }
}

/// The folders for `kubectl apply -k`.
const VARIANTS: [&str; 4] = ["base", "any-image", "statefulset", "sidecar"];

/// All components together, on the variant with the most changes.
const EVERYTHING: &str = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: NAMESPACE
resources: [../any-image]
components:
  - ../components/root-lease
  - ../components/pod-proof
  - ../components/owner
  - ../components/leader-service
  - ../components/observer
  - ../components/purge
";

/// The manifests, and one more variant that uses everything.
fn with_everything(cluster: &Cluster) -> PathBuf {
    let copy = cluster.place.path("kubernetes");
    let mut cp = Command::new("cp");
    cp.arg("-r").args([&directory(), &copy]);
    finished(cp).assert_code(0);
    fs::create_dir(copy.join("everything")).unwrap();
    let text = EVERYTHING.replace("NAMESPACE", &cluster.namespace);
    fs::write(copy.join("everything/kustomization.yaml"), text).unwrap();
    copy
}

/// The objects of a variant.
fn built(cluster: &Cluster, variant: &Path) -> Vec<Value> {
    let built = cluster
        .kubectl(&["kustomize", variant.to_str().unwrap()])
        .assert_code(0);
    serde_saphyr::from_multiple(&built.out).unwrap()
}

#[test]
fn every_variant_leaves_no_variable_unknown() {
    if !has_kubectl("every_variant_leaves_no_variable_unknown") {
        return;
    }
    let cluster = Cluster::on_the_double();
    let directory = with_everything(&cluster);
    for variant in VARIANTS.into_iter().chain(["everything"]) {
        let objects = built(&cluster, &directory.join(variant));
        let workload = objects.iter().find(|object| {
            ["Deployment", "StatefulSet"].contains(&object["kind"].as_str().unwrap())
        });
        let container = container(workload.unwrap());
        let environment = environment(container, &Pod { name: "web-0" });
        let command = container["command"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| expanded(word.as_str().unwrap(), &environment));
        for text in environment
            .iter()
            .map(|(_, value)| value.clone())
            .chain(command)
        {
            assert!(!text.contains("$("), "{variant}: {text}");
        }
        if variant == "everything" {
            let ha = environment
                .iter()
                .find(|(name, _)| name == "INCUMBENT_HA")
                .unwrap();
            assert_eq!(
                ha.1,
                "kubernetes:///web?root=lease&pod=on&owner=deployment/web"
            );
        }
        let namespaces = objects
            .iter()
            .map(|object| &object["metadata"]["namespace"]);
        assert!(namespaces.into_iter().all(|it| *it == *cluster.namespace));
    }
}

#[test]
fn a_real_server_takes_every_variant() {
    let Some(cluster) = Cluster::on_a_real_server("a_real_server_takes_every_variant") else {
        return;
    };
    let directory = with_everything(&cluster);
    for variant in VARIANTS.into_iter().chain(["everything"]) {
        let objects = built(&cluster, &directory.join(variant));
        for mut object in objects {
            object["metadata"]["namespace"] = cluster.namespace.as_str().into();
            let file = cluster.place.path("object.json");
            fs::write(&file, object.to_string()).unwrap();
            let apply = [
                "apply",
                "--dry-run=server",
                "--validate=strict",
                "-f",
                file.to_str().unwrap(),
            ];
            let applied = cluster.kubectl(&apply).assert_code(0);
            assert!(!applied.err.contains("Warning"), "{}", applied.err);
        }
    }
}
