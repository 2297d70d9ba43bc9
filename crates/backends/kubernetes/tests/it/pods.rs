//! The leader's pod as a proof of its end.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use incumbent::backend::{Backend, Gone, Nonce};
use incumbent::{Group, Leadership};
use incumbent_backend_kubernetes::{KubernetesBackend, Pod};
use incumbent_kubernetes_double::{How, Rule, Verb};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::logs::Log;
use crate::{Server, create, in_time, key, node, open_with, place, until};

/// Long enough that it does not end while a test runs.
const LONG: Duration = Duration::from_secs(600);

/// A leader in a pod, and a standby that waits for its end.
struct Scene {
    server: Server,
    leadership: Leadership,
    log: NamedTempFile,
    standby: KubernetesBackend,
}

impl Scene {
    async fn begin(options: &str) -> Self {
        let server = Server::start().await;
        let log = NamedTempFile::new().unwrap();
        let pod = Pod {
            name: "jm-0".into(),
            uid: Some("u-1".into()),
            termination_log: log.path().into(),
        };
        let address = place::address(server.file.path(), "demo", &format!("pod=on&{options}"));
        let backend = KubernetesBackend::open_in(&address, Some(pod)).unwrap();
        put(&server, "u-1", running(0));
        let group = node(backend, "jm-0", LONG);
        let leadership = in_time("it leads", group.candidate().unwrap().campaign()).await;
        leadership.activate().await.unwrap();
        let standby = KubernetesBackend::open_in(&address, None).unwrap();
        Self {
            server,
            leadership,
            log,
            standby,
        }
    }

    fn mark(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    async fn vanished(&self) -> BoxFuture<'static, Gone> {
        let gone = self
            .standby
            .vanished(&"g".parse().unwrap(), self.leadership.seal().nonce);
        let watched = tokio::spawn(gone).map(|gone| gone.unwrap()).boxed();
        until("the pod is watched", || {
            self.server
                .seen(&[Verb::Watch])
                .iter()
                .any(|seen| seen.resource == "pods")
        })
        .await;
        watched
    }
}

fn put(server: &Server, uid: &str, status: Value) {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "uid": uid },
        "spec": { "containers": [{ "name": "jm", "image": "jm" }] },
        "status": status,
    });
    server.double.put_by_hand("pods", "default", "jm-0", pod);
}

fn status(restarts: u32, state: Value, last: Value) -> Value {
    json!({
        "phase": "Running",
        "containerStatuses": [{
            "name": "jm", "image": "jm", "imageID": "", "ready": true, "restartCount": restarts,
            "containerID": format!("containerd://{restarts}"), "state": state, "lastState": last,
        }],
    })
}

fn running(restarts: u32) -> Value {
    status(restarts, json!({ "running": {} }), json!({}))
}

fn ended(message: &str) -> Value {
    json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled", "message": message } })
}

fn proven(gone: &Gone) {
    let Gone::Ended(how) = gone else {
        panic!("{gone:?}")
    };
    assert_eq!(
        how,
        "container jm of pod jm-0 ended: OOMKilled, exit code 137"
    );
}

#[tokio::test]
async fn a_container_that_ended_is_a_proof() {
    for options in ["", "root=lease"] {
        let scene = Scene::begin(options).await;
        let gone = scene.vanished().await;
        put(
            &scene.server,
            "u-1",
            status(0, ended(&scene.mark()), json!({})),
        );
        proven(&in_time("it is proven", gone).await);
    }
}

#[tokio::test]
async fn a_container_that_was_started_again_is_a_proof_and_one_seen_late_too() {
    let scene = Scene::begin("").await;
    let gone = scene.vanished().await;
    put(
        &scene.server,
        "u-1",
        status(1, json!({ "running": {} }), ended(&scene.mark())),
    );
    proven(&in_time("it is proven", gone).await);
    let late = scene
        .standby
        .vanished(&"g".parse().unwrap(), scene.leadership.seal().nonce);
    proven(&in_time("it is proven", late).await);
}

#[tokio::test]
async fn all_else_that_befalls_a_pod_is_no_proof() {
    let scene = Scene::begin("").await;
    let mut gone = scene.vanished().await;
    let node_lost = json!({ "phase": "Failed", "reason": "NodeLost" });
    for what in [
        // A status that lags behind: the previous run ended, and the process is in the next one.
        status(0, ended("incumbent-process-0123"), json!({})),
        status(1, json!({ "running": {} }), ended("")),
        node_lost,
        json!({ "phase": "Succeeded" }),
        running(7),
    ] {
        put(&scene.server, "u-1", what);
        scene.server.double.cut_watches();
    }
    scene
        .server
        .double
        .delete_by_hand("pods", "default", "jm-0");
    put(
        &scene.server,
        "u-2",
        status(0, ended(&scene.mark()), json!({})),
    );
    let waited = tokio::time::timeout(Duration::from_secs(2), &mut gone).await;
    assert!(waited.is_err(), "{waited:?}");
}

#[tokio::test]
async fn a_pod_that_is_removed_is_a_proof_only_if_its_last_state_is() {
    let scene = Scene::begin("").await;
    let gone = scene.vanished().await;
    // The kubelet reports it before the object is deleted.
    put(
        &scene.server,
        "u-1",
        status(0, ended(&scene.mark()), json!({})),
    );
    scene
        .server
        .double
        .delete_by_hand("pods", "default", "jm-0");
    proven(&in_time("it is proven", gone).await);
}

#[tokio::test]
async fn a_standby_that_comes_before_the_leader_names_its_pod_learns_it() {
    let scene = Scene::begin("").await;
    // A term that nobody has begun yet.
    let nonce = Nonce::new(42);
    let mut gone = Box::pin(scene.standby.vanished(&"g".parse().unwrap(), nonce));
    assert!(
        tokio::time::timeout(Duration::from_secs(1), &mut gone)
            .await
            .is_err()
    );
    let root = scene
        .server
        .double
        .object("configmaps", "default", "demo.g--root")
        .unwrap();
    let text = root.to_string().replace(
        &scene.leadership.seal().nonce.to_string(),
        &nonce.to_string(),
    );
    scene.server.double.put_by_hand(
        "configmaps",
        "default",
        "demo.g--root",
        serde_json::from_str(&text).unwrap(),
    );
    put(
        &scene.server,
        "u-1",
        status(0, ended(&scene.mark()), json!({})),
    );
    proven(&in_time("it is proven", gone).await);
}

#[tokio::test]
async fn a_process_that_writes_the_root_of_another_does_not_put_its_own_pod_there() {
    let scene = Scene::begin("").await;
    let pod = Pod {
        name: "asker".into(),
        uid: None,
        termination_log: scene.log.path().into(),
    };
    let address = place::address(scene.server.file.path(), "demo", "pod=on");
    let asker = KubernetesBackend::open_in(&address, Some(pod)).unwrap();
    let asker: Group = node(asker, "asker", LONG);
    asker.ask_to_hand_over(None, "a test").await.unwrap();
    let root = scene
        .server
        .double
        .object("configmaps", "default", "demo.g--root")
        .unwrap();
    assert!(!root.to_string().contains("asker"), "{root}");
}

#[tokio::test]
async fn a_missing_right_to_pods_is_logged_once_and_costs_nothing_else() {
    let scene = Scene::begin("").await;
    let (log, _guard) = Log::begin();
    let rules = vec![Rule::new("", &["configmaps"], &["get", "list", "watch"])];
    scene.server.double.allow("token", "jm", rules);
    let file = place::kubeconfig(&scene.server.double, Some("token"));
    let standby = open_with(&file, "pod=on");
    let mut gone = standby.vanished(&"g".parse().unwrap(), scene.leadership.seal().nonce);
    let refused = async {
        until("it is refused twice", || {
            scene
                .server
                .double
                .seen()
                .iter()
                .filter(|seen| seen.status == 403)
                .count()
                > 1
        })
        .await;
    };
    tokio::select! {
        gone = &mut gone => panic!("{gone:?}"),
        () = refused => {}
    }
    let lines: Vec<String> = log
        .lines()
        .into_iter()
        .filter(|line| line.contains("the role lacks"))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("\"get\" on \"pods\""), "{}", lines[0]);
}

#[tokio::test]
async fn without_the_option_no_pod_is_watched_and_none_is_named() {
    let server = Server::start().await;
    let backend = server.open("");
    let group = node(backend.clone(), "a", LONG);
    let leadership = in_time("it leads", group.candidate().unwrap().campaign()).await;
    let mut gone = backend.vanished(&"g".parse().unwrap(), leadership.seal().nonce);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), &mut gone)
            .await
            .is_err()
    );
    assert!(
        server
            .double
            .seen()
            .iter()
            .all(|seen| seen.resource != "pods")
    );
    let root = server
        .double
        .object("configmaps", "default", "demo.g--root")
        .unwrap();
    assert_eq!(
        root["metadata"]["annotations"]["incumbent/pod"],
        Value::Null
    );
}

/// From the kubelet's report to the next leader.
#[tokio::test]
async fn a_standby_leads_when_the_kubelet_reports_the_end_of_the_leader() {
    let scene = Scene::begin("").await;
    // The leader no longer answers.
    scene
        .server
        .always(Verb::Update, "configmaps", How::HangBefore);
    let standby = node(scene.standby.clone(), "jm-1", LONG);
    let campaign = tokio::spawn(async move { standby.candidate().unwrap().campaign().await });
    until("the pod is watched", || {
        scene
            .server
            .seen(&[Verb::Watch])
            .iter()
            .any(|seen| seen.resource == "pods")
    })
    .await;
    scene.server.double.clear_faults();
    put(
        &scene.server,
        "u-1",
        status(0, ended(&scene.mark()), json!({})),
    );
    let next = in_time("it leads", campaign).await.unwrap();
    assert_eq!(next.epoch().get(), 2);
    let _ = create(&scene.standby, &key("after"), b"").await;
}
