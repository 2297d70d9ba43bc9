//! A whole cluster from the manifests: `deploy/kubernetes/cluster` by Kustomize, `deploy/helm` by
//! Helm. Both are checked against the types of the API, and run on the double with its kubelets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use incumbent_kubernetes_double::{Double, Kubelet, KubeletOptions, Options};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::cluster::has_kubectl;
use crate::harness::{Done, Place, eventually, finished, until};

/// What everybody needs who asks the cluster.
const TOKEN: &str = "known-to-this-test-only";

pub(super) fn deploy() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    path.canonicalize().unwrap()
}

/// The objects that `kubectl kustomize` makes of a folder.
pub(super) fn kustomized(folder: &Path) -> Vec<Value> {
    let mut command = Command::new("kubectl");
    command
        .args(["kustomize", "--load-restrictor", "LoadRestrictionsNone"])
        .arg(folder);
    let built = finished(command).assert_code(0);
    serde_saphyr::from_multiple(&built.out).unwrap()
}

/// Helm, where `.ci/servers` puts it, or anywhere.
fn helm(claim: &str) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
    let installed = target.join("foreign/helm/helm");
    let program = if installed.exists() {
        installed
    } else {
        PathBuf::from("helm")
    };
    let found = Command::new(&program).arg("version").output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(program);
    }
    let why = format!("{claim}: there is no helm");
    assert!(
        std::env::var_os("INCUMBENT_REQUIRE_FOREIGN").is_none(),
        "{why}"
    );
    eprintln!("SKIPPED {why}");
    None
}

fn helmed(helm: &Path, settings: &[&str]) -> Vec<Value> {
    let mut command = Command::new(helm);
    command
        .args(["template", "incumbent"])
        .arg(deploy().join("helm/incumbent"));
    command.args(["--namespace", "default"]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let built = finished(command).assert_code(0);
    let all: Vec<Value> = serde_saphyr::from_multiple(&built.out).unwrap();
    all.into_iter().filter(|object| !object.is_null()).collect()
}

/// Fails if an object is none of the API's, or has a field that the API does not have.
pub(super) fn assert_valid(objects: &[Value]) {
    for object in objects {
        let kind = object["kind"].as_str().unwrap();
        match kind {
            "ConfigMap" => strict::<ConfigMap>(object),
            "Deployment" => strict::<Deployment>(object),
            "PersistentVolumeClaim" => strict::<PersistentVolumeClaim>(object),
            "PodDisruptionBudget" => strict::<PodDisruptionBudget>(object),
            "Role" => strict::<Role>(object),
            "RoleBinding" => strict::<RoleBinding>(object),
            "Service" => strict::<Service>(object),
            "ServiceAccount" => strict::<ServiceAccount>(object),
            other => panic!("no manifest has a {other}"),
        }
    }
}

fn strict<T: DeserializeOwned + Serialize>(object: &Value) {
    let typed: T = serde_json::from_value(object.clone()).unwrap();
    let known = serde_json::to_value(typed).unwrap();
    assert_known(&object["kind"].to_string(), object, &known);
}

fn assert_known(path: &str, given: &Value, known: &Value) {
    match given {
        Value::Object(fields) => {
            for (field, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                let path = format!("{path}.{field}");
                let known = known.get(field);
                let known = known.unwrap_or_else(|| panic!("{path}: there is no such field"));
                assert_known(&path, value, known);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                assert_known(&format!("{path}[{at}]"), item, &known[at]);
            }
        }
        _ => {}
    }
}

pub(super) fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects
        .iter()
        .filter(|object| object["kind"] == kind)
        .collect()
}

/// The pod template in the ConfigMap.
fn template(objects: &[Value]) -> Value {
    let maps = of_kind(objects, "ConfigMap");
    let text = maps[0]["data"]["pod.yaml"].as_str().unwrap();
    serde_saphyr::from_str(text).unwrap()
}

/// A double with kubelets, and the cluster on it.
pub(super) struct Whole {
    _kubelet: Kubelet,
    pub(super) double: Double,
    pub(super) place: Place,
}

impl Whole {
    pub(super) fn new(objects: &[Value]) -> Self {
        let place = Place::new();
        let double = Double::start_now(Options::default());
        let mut options = KubeletOptions::new(place.path("kubelet"));
        let program = PathBuf::from(env!("CARGO_BIN_EXE_incumbent"));
        for image in ["incumbent", "incumbent:0.1.0"] {
            options.images.insert(image.to_owned(), program.clone());
        }
        // An application, whose manifest says what runs.
        options.images.insert("app".to_owned(), "/bin/sh".into());
        let mark = place.path("").display().to_string();
        options.env.insert(
            "E2E_PLACE".to_owned(),
            mark.trim_end_matches('/').to_owned(),
        );
        let kubelet = Kubelet::start(&double, options);
        let token = json!({"kind": "Secret", "apiVersion": "v1", "metadata": {}, "stringData": {"token": TOKEN}});
        double.put_by_hand("secrets", "default", "incumbent-token", token);
        for object in objects {
            let plural = match object["kind"].as_str().unwrap() {
                "PodDisruptionBudget" => "poddisruptionbudgets".to_owned(),
                kind => format!("{}s", kind.to_lowercase()),
            };
            let name = object["metadata"]["name"].as_str().unwrap();
            double.put_by_hand(&plural, "default", name, object.clone());
        }
        fs::write(place.path("token"), TOKEN).unwrap();
        Self {
            _kubelet: kubelet,
            double,
            place,
        }
    }

    fn pods(&self, component: &str) -> Vec<Value> {
        self.labelled("app.kubernetes.io/component", component)
    }

    pub(super) fn labelled(&self, label: &str, value: &str) -> Vec<Value> {
        let names = self.double.names("pods", "default");
        let all = names
            .iter()
            .filter_map(|name| self.double.object("pods", "default", name));
        all.filter(|pod| pod["metadata"]["labels"][label] == value)
            .collect()
    }

    /// What a pod has written; its other containers are named `POD.CONTAINER`.
    pub(super) fn log(&self, name: &str) -> String {
        let logs = self.place.path("kubelet/logs/default");
        fs::read_to_string(logs.join(format!("{name}.log"))).unwrap_or_default()
    }

    /// Waits for a JobManager that answers, as the Service does.
    fn url(&self) -> String {
        let address = eventually("a JobManager has an address", || {
            let pods = self.pods("job-manager");
            let ip = pods
                .iter()
                .find_map(|pod| pod["status"]["podIP"].as_str())?;
            Some(format!("http://{ip}:8081"))
        });
        until("it answers", || {
            let host = address.strip_prefix("http://").unwrap();
            std::net::TcpStream::connect(host).is_ok()
        });
        address
    }

    fn ask(&self, args: &[&str]) -> Done {
        let mut command = self.place.incumbent(args);
        command
            .env("INCUMBENT_CLUSTER", self.url())
            .env("INCUMBENT_TOKEN_FILE", self.place.path("token"));
        finished(command)
    }
}

/// A job runs, the pods are the Deployment's, and they go with it; the records stay.
fn lives_and_goes(mut objects: Vec<Value>, deployment: &str) {
    // A TaskManager that is to end waits for a leader that moves its tasks, and there is none.
    for map in objects
        .iter_mut()
        .filter(|object| object["kind"] == "ConfigMap")
    {
        let mut pod: Value =
            serde_saphyr::from_str(map["data"]["pod.yaml"].as_str().unwrap()).unwrap();
        pod["spec"]["containers"][0]["env"] =
            json!([{"name": "INCUMBENT_DRAIN_TIMEOUT", "value": "1s"}]);
        map["data"]["pod.yaml"] = json!(pod.to_string());
    }
    let whole = Whole::new(&objects);
    let run = [
        "job", "run", "--name", "hello", "--tasks", "3", "--", "sleep", "1000",
    ];
    whole.ask(&run).assert_code(0);
    until("the job runs", || {
        let shown = whole.ask(&["job", "show", "hello"]);
        shown.code == Some(0) && shown.json()["state"] == "running"
    });
    let made = whole.pods("task-manager");
    assert_eq!(made.len(), 2);
    for pod in &made {
        let owner = &pod["metadata"]["ownerReferences"][0];
        assert_eq!(
            (&owner["kind"], &owner["name"]),
            (&json!("Deployment"), &json!(deployment))
        );
        assert_eq!(
            pod["spec"]["serviceAccountName"],
            deployment.replace("job", "task")
        );
        let limits = &pod["spec"]["containers"][0]["resources"]["limits"];
        assert_eq!(limits["memory"], "1024Mi");
    }
    for pod in whole.pods("job-manager") {
        let log = whole.log(pod["metadata"]["name"].as_str().unwrap());
        assert!(!log.contains("the role lacks"), "{log}");
    }
    let records = whole.double.count("configmaps", "default");
    assert!(whole.double.delete("deployments", "default", deployment));
    until("its pods are gone", || {
        whole.double.count("pods", "default") == 0
    });
    assert_eq!(
        whole.double.count("configmaps", "default"),
        records,
        "records stay"
    );
}

#[test]
fn the_cluster_of_kustomize_lives_and_goes_with_its_deployment() {
    if !has_kubectl("the_cluster_of_kustomize_lives_and_goes_with_its_deployment") {
        return;
    }
    let objects = kustomized(&deploy().join("kubernetes/cluster"));
    assert_valid(&objects);
    strict::<Pod>(&template(&objects));
    lives_and_goes(objects, "incumbent-job-manager");
}

#[test]
fn the_cluster_of_helm_lives_and_goes_with_its_deployment() {
    let Some(helm) = helm("the_cluster_of_helm_lives_and_goes_with_its_deployment") else {
        return;
    };
    let objects = helmed(&helm, &[]);
    assert_valid(&objects);
    strict::<Pod>(&template(&objects));
    lives_and_goes(objects, "incumbent-job-manager");
}

#[test]
fn blobs_are_in_a_bucket_where_that_is_wanted() {
    if !has_kubectl("blobs_are_in_a_bucket_where_that_is_wanted") {
        return;
    }
    let place = Place::new();
    let overlay = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": "prod",
        "resources": ["cluster"],
        "components": ["cluster-components/s3"],
    });
    let mut copy = Command::new("cp");
    copy.arg("-r").args([
        deploy().join("kubernetes/cluster"),
        deploy().join("kubernetes/cluster-components"),
    ]);
    copy.arg(place.path(""));
    finished(copy).assert_code(0);
    fs::write(place.path("kustomization.yaml"), overlay.to_string()).unwrap();
    let mut variants = vec![kustomized(&place.path(""))];
    if let Some(helm) = helm("blobs_are_in_a_bucket_where_that_is_wanted") {
        variants.push(helmed(
            &helm,
            &["blobs.url=s3://b/p", "blobs.s3.secret=incumbent-s3"],
        ));
    }
    for objects in variants {
        assert_valid(&objects);
        assert!(of_kind(&objects, "PersistentVolumeClaim").is_empty());
        let pods = [
            of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"].clone(),
            template(&objects)["spec"].clone(),
        ];
        for spec in pods {
            let text = spec.to_string();
            assert!(!text.contains("/blobs"), "{text}");
            let from = &spec["containers"][0]["envFrom"][0]["secretRef"]["name"];
            assert_eq!(from, "incumbent-s3");
        }
    }
}

/// One cluster, described twice: the chart must not fall behind the manifests.
#[test]
fn the_chart_and_the_manifests_describe_one_cluster() {
    let claim = "the_chart_and_the_manifests_describe_one_cluster";
    let (true, Some(helm)) = (has_kubectl(claim), helm(claim)) else {
        return;
    };
    let one = kustomized(&deploy().join("kubernetes/cluster"));
    let other = helmed(&helm, &[]);
    let roles = |objects: &[Value]| -> Vec<Value> {
        let mut roles = of_kind(objects, "Role");
        roles.sort_by_key(|role| role["metadata"]["name"].to_string());
        roles
            .into_iter()
            .map(|role| role["rules"].clone())
            .collect()
    };
    assert_eq!(roles(&one), roles(&other));
    let variables = |objects: &[Value]| -> Vec<(String, Value)> {
        let container =
            &of_kind(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0];
        let all = container["env"].as_array().unwrap().iter();
        let mut all: Vec<_> = all
            .filter(|one| one["name"] != "CLUSTER" && one["name"] != "INCUMBENT_HA")
            .map(|one| {
                (
                    one["name"].as_str().unwrap().to_owned(),
                    one["value"].clone(),
                )
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    };
    assert_eq!(variables(&one), variables(&other));
    let spec = |objects: &[Value]| {
        let mut spec = template(objects)["spec"].take();
        let container = spec["containers"][0].as_object_mut().unwrap();
        container.remove("image");
        container.remove("imagePullPolicy");
        spec
    };
    assert_eq!(spec(&one), spec(&other));
}
